export { canonicalJson, type Json, type JsonObject } from "./canonical.ts";
export {
  consistencyPath,
  consistencyRanges,
  HASH_BYTES,
  inclusionPath,
  inclusionRanges,
  isConsistent,
  leafHash,
  merkleRoot,
  nodeHash,
  type Range,
  rootOfPath,
} from "./merkle.ts";
export {
  type ReadSpans,
  rootsOf,
  type Span,
  spansOf,
  TILE_WIDTH,
  tilesBetween,
} from "./tiles.ts";
