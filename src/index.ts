export type { BrokerErrorCode, KafkaProducerErrorCode, ProducerErrorCode } from './error-code.js'
export * from './errors.js'
export { Producer, TransactionalProducer, type KeyedMessage } from './producer/typed-producer.js'
export type {
  CloseOptions,
  CloseResult,
  FlushOptions,
  FlushResult,
  ProducerEvents,
  SendResult,
} from './producer/producer.js'
export { ManualTransaction, Transaction } from './producer/transactional-producer.js'
export {
  TransactionalProducerConfig,
  type TransactionalProducerOptions,
} from './producer/config/transactional-producer-config.js'
export type { GroupMetadata, GroupOffset } from './producer/transactions/group-offsets.js'
export * from './producer/transactions/transaction-errors.js'
export type { ConnectOptions, ProducerHealth } from './producer/readiness.js'
export { KafkaProducerWarning, type KafkaProducerWarningCode } from './producer/observing/kafka-producer-warning.js'
export { MessageWritable, type WritableMessage, type WritableOptions } from './producer/sinks/message-writable.js'
export type { DeliveryReport, OnDelivery } from './producer/delivery-report.js'
export { ProducerConfig } from './producer/config/producer-config.js'
export type { ProducerOptions, ProducerType } from './producer/config/producer-options.js'
export {
  withHeaders,
  type HeaderPair,
  type HeaderValue,
  type MessageHeaders,
} from './producer/messages/message-headers.js'
export type { ProducerInterceptor } from './producer/interceptors.js'
export { RecordMetadata } from './producer/record-metadata.js'
export type { EventHandler, SendOptions } from './producer/event-handler.js'
export type { PartitionMetadata } from './producer/brokers/topic-metadata.js'
export type { BatchTrace, ConnectTrace, MetadataTrace, RequestTrace } from './producer/observing/channels.js'
export type { MessageEnd, SendTrace } from './producer/observing/send-trace.js'
export type { LogEvent, LogFields, Logger } from './producer/observing/event-log.js'
export type { OnStats } from './producer/observing/stats-reports.js'
export type { ProducerStats } from './stats/producer-stats.js'
export type { BrokerStatistics, Statistics, TopicStatistics } from './stats/statistics.js'
export type { HistogramSnapshot } from './stats/histogram.js'
export type { MeterSnapshot } from './stats/meter.js'
export {
  DefaultEncoder,
  IntegerEncoder,
  JsonEncoder,
  LongEncoder,
  NullEncoder,
  StringEncoder,
  type EncodedPart,
  type Encoder,
  type EncoderContext,
  type JsonInput,
  type RawData,
} from './producer/encoder.js'
export type {
  EncodedKey,
  KeylessPlacement,
  KeyUse,
  PartitionContext,
  Partitioner,
  PartitionFunction,
} from './producer/partitioner.js'
export { ByteArrayPartitioner, JavaHashPartitioner } from './producer/partitioners/java-hash-partitioner.js'
export { StickyByBytes, StickyUntilRefresh } from './producer/partitioners/keyless.js'
export { LibrdkafkaPartitioner, RandomPartitioner } from './producer/partitioners/librdkafka-partitioners.js'
export { Murmur2Partitioner } from './producer/partitioners/murmur2-partitioner.js'
export { RoundRobinPartitioner } from './producer/partitioners/round-robin-partitioner.js'
export type { PartitionerName, PartitionerOption } from './producer/partitioners/partitioner-by-name.js'
export type { Codec, CompressOptions, DecompressOptions } from './compression/codec.js'
export type { CodecName, CompressionOption } from './producer/queues/topic-compression.js'
export type { AllowBroker } from './network/session/broker-filter.js'
export type { BrokerAddress } from './network/streams/connect.js'
export type { CreateConnection } from './network/streams/given-stream.js'
export type { SslOption, SslOptions } from './network/streams/tls.js'
export type { Asked } from './network/sasl/mechanism.js'
export { oidcToken, type OidcClientAuthentication, type OidcOptions } from './network/sasl/oidc-token.js'
export type { OAuthToken } from './network/sasl/oauthbearer.js'
export type { OwnExchange, SaslAuthenticator } from './network/sasl/own-authenticator.js'
export type { OwnSaslOptions, PasswordSaslOptions, SaslOptions, TokenSaslOptions } from './network/sasl/sasl-options.js'
export type { Data } from './protocol/records/record.js'
