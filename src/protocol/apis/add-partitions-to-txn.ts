/*
 * AddPartitionsToTxn, key 24, versions 0 to 5, flexible from 3. Makes partitions part of a transaction before the
 * producer writes to them (KIP-98).
 *
 *   1  the answer comes before the client is throttled, not after
 *   2  error 90 (PRODUCER_FENCED) may be answered
 *   3  flexible
 *   4  several transactions in one request, verifyOnly; response: errorCode of all. Sent by brokers alone (KIP-890)
 *   5  error 120 (TRANSACTION_ABORTABLE) may be answered
 *
 * Up to version 3 there is one transaction, whose id the answer does not repeat; here both read as lists of one.
 */
import { onlyElement, unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import type { ByteWriter } from '../byte-writer.js'

const NAME = 'AddPartitionsToTxn'
const FLEXIBLE_FROM = 3
const TRANSACTIONS_FROM = 4

export interface AddPartitionsToTxnTopic {
  readonly name: string
  readonly partitions: readonly number[]
}

export interface AddPartitionsToTxnTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Only tells whether the partitions are part of the transaction already. */
  readonly verifyOnly: boolean
  readonly topics: readonly AddPartitionsToTxnTopic[]
}

export interface AddPartitionsToTxnRequest {
  /** Exactly one up to version 3. */
  readonly transactions: readonly AddPartitionsToTxnTransaction[]
}

export interface AddPartitionsToTxnPartitionResult {
  readonly partitionIndex: number
  readonly partitionErrorCode: number
}

export interface AddPartitionsToTxnTopicResult {
  readonly name: string
  readonly resultsByPartition: readonly AddPartitionsToTxnPartitionResult[]
}

export interface AddPartitionsToTxnResult {
  /** Empty up to version 3. */
  readonly transactionalId: string
  readonly topicResults: readonly AddPartitionsToTxnTopicResult[]
}

export interface AddPartitionsToTxnResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly resultsByTransaction: readonly AddPartitionsToTxnResult[]
}

export const addPartitionsToTxn: Api<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse> = {
  key: 24,
  name: NAME,
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 1,

  encodeRequest(writer, version, request) {
    if (version >= TRANSACTIONS_FROM) {
      writer.writeArray(request.transactions, true, (transaction) => {
        writeTransaction(writer, version, transaction)
        writer.writeNoTaggedFields()
      })
    } else writeTransaction(writer, version, onlyElement(request.transactions, NAME, version, 'transactions'))
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const transactions =
      version >= TRANSACTIONS_FROM
        ? reader.readArray(true, () => {
            const transaction = readTransaction(reader, version)
            reader.readTaggedFields()
            return transaction
          })
        : [readTransaction(reader, version)]
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return { transactions }
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    const { resultsByTransaction } = response
    writer.writeInt32(response.throttleTimeMs)
    if (version >= TRANSACTIONS_FROM) {
      writer.writeInt16(response.errorCode)
      writer.writeArray(resultsByTransaction, true, (result) => {
        writer.writeString(result.transactionalId, true)
        writeTopicResults(writer, true, result.topicResults)
        writer.writeNoTaggedFields()
      })
    } else {
      const result = onlyElement(resultsByTransaction, NAME, version, 'resultsByTransaction')
      writeTopicResults(writer, flexible, result.topicResults)
    }
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: reader.readInt32(),
      errorCode: version >= TRANSACTIONS_FROM ? reader.readInt16() : 0,
      resultsByTransaction:
        version >= TRANSACTIONS_FROM
          ? reader.readArray(true, () => {
              const transactionalId = reader.readString(true)
              const topicResults = readTopicResults(reader, true)
              reader.readTaggedFields()
              return { transactionalId, topicResults }
            })
          : [{ transactionalId: '', topicResults: readTopicResults(reader, flexible) }],
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTransaction(reader: ByteReader, version: number): AddPartitionsToTxnTransaction {
  const flexible = version >= FLEXIBLE_FROM
  return {
    transactionalId: reader.readString(flexible),
    producerId: reader.readBigInt64(),
    producerEpoch: reader.readInt16(),
    verifyOnly: version >= TRANSACTIONS_FROM ? reader.readBoolean() : false,
    topics: reader.readArray(flexible, () => {
      const topic = {
        name: reader.readString(flexible),
        partitions: reader.readArray(flexible, () => reader.readInt32()),
      }
      if (flexible) reader.readTaggedFields()
      return topic
    }),
  }
}

function writeTransaction(writer: ByteWriter, version: number, transaction: AddPartitionsToTxnTransaction): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeString(transaction.transactionalId, flexible)
  writer.writeBigInt64(transaction.producerId)
  writer.writeInt16(transaction.producerEpoch)
  if (version >= TRANSACTIONS_FROM) writer.writeBoolean(transaction.verifyOnly)
  else if (transaction.verifyOnly) throw unsupportedField(NAME, version, 'verifyOnly')
  writer.writeArray(transaction.topics, flexible, (topic) => {
    writer.writeString(topic.name, flexible)
    writer.writeArray(topic.partitions, flexible, (partition) => writer.writeInt32(partition))
    if (flexible) writer.writeNoTaggedFields()
  })
}

function readTopicResults(reader: ByteReader, flexible: boolean): AddPartitionsToTxnTopicResult[] {
  return reader.readArray(flexible, () => {
    const topic = {
      name: reader.readString(flexible),
      resultsByPartition: reader.readArray(flexible, () => {
        const partition = { partitionIndex: reader.readInt32(), partitionErrorCode: reader.readInt16() }
        if (flexible) reader.readTaggedFields()
        return partition
      }),
    }
    if (flexible) reader.readTaggedFields()
    return topic
  })
}

function writeTopicResults(
  writer: ByteWriter,
  flexible: boolean,
  topics: readonly AddPartitionsToTxnTopicResult[],
): void {
  writer.writeArray(topics, flexible, (topic) => {
    writer.writeString(topic.name, flexible)
    writer.writeArray(topic.resultsByPartition, flexible, (partition) => {
      writer.writeInt32(partition.partitionIndex)
      writer.writeInt16(partition.partitionErrorCode)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  })
}
