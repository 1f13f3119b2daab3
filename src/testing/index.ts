export { EmbeddedKafka } from './embedded-kafka.js'
export type { GroupStatus, Lasting, TransactionStatus } from './embedded-kafka.js'
export type { BrokerStatus, ConnectionStatus, StartBrokerOptions, StopBrokerOptions } from './broker-set.js'
export { EmbeddedKafkaError } from './errors.js'
export type { EmbeddedKafkaErrorCode } from './errors.js'
export type { ClientMetricsSubscription, ReceivedMetrics } from './client-metrics.js'
export type { CommittedOffset } from './groups/group-offsets.js'
export type { GroupState } from './groups/group.js'
export type { ApiName } from './api-names.js'
export type { Fault, FaultMoment, FaultTarget, Spoiling } from './faults.js'
export type { ReceivedRequest, RequestedPartition, RequestedTopic, RequestFilter, WaitOptions } from './journal.js'
export type { EmbeddedBrokerOptions, EmbeddedKafkaOptions, EmbeddedTopicOptions } from './options.js'
export type { RecordsOptions, StoredRecord } from './records.js'
export type {
  Authentication,
  EmbeddedPassword,
  EmbeddedSaslOptions,
  SaslMechanismName,
} from './security/sasl-server.js'
export type { TransactionState } from './transactions/transaction.js'
