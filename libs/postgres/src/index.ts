export type { Pool, PoolClient } from "pg";
export {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  textArray,
  timeArray,
} from "./array.ts";
export { forgetRequestsOf } from "./forget-subject.ts";
export { migrate, SchemaTooNewError } from "./migrate.ts";
export { isOutage, isUnstorable } from "./outage.ts";
export {
  discardParked,
  enqueue,
  enqueueNew,
  listParked,
  type OutboxMessage,
  type ParkedMessage,
  unpark,
} from "./outbox.ts";
export { ensurePartitions, keepPartitions, type PartitionOptions } from "./partitions.ts";
export { createPool } from "./pool.ts";
export { type OutboxDepth, type Relay, type RelayOptions, startRelay } from "./relay.ts";
export {
  forgetRequests,
  type MutationRequest,
  once,
  type Remembered,
  RequestIdReused,
  recall,
  remember,
  repeatedAnswer,
  requestKey,
} from "./requests.ts";
export { keepTidy } from "./tidy.ts";
export { type TransactionOptions, type Tx, withTransaction } from "./transaction.ts";
export { sqlState, violated } from "./violation.ts";
