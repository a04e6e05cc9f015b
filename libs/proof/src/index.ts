export { canonicalJson, type Json, type JsonObject } from "./canonical.ts";
export {
  type Checkpoint,
  CheckpointError,
  checkpointText,
  isSignedBy,
  parseCheckpoint,
  signCheckpoint,
  verifierKey,
} from "./checkpoint.ts";
export {
  consistencyPath,
  consistencyRanges,
  HASH_BYTES,
  inclusionPath,
  inclusionRanges,
  isConsistent,
  leafHash,
  leafHashes,
  merkleRoot,
  nodeHash,
  packedRoot,
  type Range,
  rootOfPath,
} from "./merkle.ts";
export {
  type BatchHeader,
  CONSISTENCY_FORMAT,
  checkConsistency,
  checkProof,
  consistencyDocument,
  type EntryProof,
  PROOF_FORMAT,
  type ProofFault,
  type ProofStep,
  type ProofVerdict,
  proofDocument,
  type Trust,
} from "./proof.ts";
export {
  type GrowingTree,
  growTree,
  type ReadSpans,
  rootsOf,
  type Span,
  spansOf,
  TILE_WIDTH,
  tilesBetween,
} from "./tiles.ts";
