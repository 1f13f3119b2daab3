/*
 * FindCoordinator, key 10, versions 0 to 6, flexible from 3. Names the broker that coordinates a group or transaction.
 *
 *   1  request: keyType, so that transactions have coordinators too; response: throttleTimeMs, errorMessage
 *   2  the answer comes before the client is throttled, not after
 *   3  flexible
 *   4  several keys in one request (KIP-699)
 *   5  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 *   6  keyType 2: share groups (KIP-932)
 *
 * Up to version 3 there is one key, and one answer that does not repeat it; here both read as lists of one.
 */
import { onlyElement, unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import type { ByteWriter } from '../byte-writer.js'
import { checkHosts } from './leader-hints.js'

const NAME = 'FindCoordinator'
const FLEXIBLE_FROM = 3
/** From this version on there may be several keys, and the answer repeats them. */
export const KEYS_FROM = 4

export interface FindCoordinatorRequest {
  /** 0: groups, 1: transactions, 2: share groups. */
  readonly keyType: number
  /** Group ids or transactional ids; exactly one up to version 3. */
  readonly coordinatorKeys: readonly string[]
}

export interface Coordinator {
  /** Empty up to version 3. */
  readonly key: string
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface FindCoordinatorResponse {
  readonly throttleTimeMs: number
  readonly coordinators: readonly Coordinator[]
}

export const findCoordinator: Api<FindCoordinatorRequest, FindCoordinatorResponse> = {
  key: 10,
  name: NAME,
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 2,

  encodeRequest(writer, version, request) {
    const { coordinatorKeys, keyType } = request
    if (version < KEYS_FROM) {
      writer.writeString(onlyElement(coordinatorKeys, NAME, version, 'coordinatorKeys'), version >= FLEXIBLE_FROM)
    }
    if (version >= 1) writer.writeInt8(keyType)
    else if (keyType !== 0) throw unsupportedField(NAME, version, 'keyType')
    if (version >= KEYS_FROM) writer.writeArray(coordinatorKeys, true, (key) => writer.writeString(key, true))
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const key = version < KEYS_FROM ? reader.readString(version >= FLEXIBLE_FROM) : ''
    const keyType = version >= 1 ? reader.readInt8() : 0
    const coordinatorKeys = version >= KEYS_FROM ? reader.readArray(true, () => reader.readString(true)) : [key]
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return { keyType, coordinatorKeys }
  },

  encodeResponse(writer, version, response) {
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    if (version >= KEYS_FROM) {
      writer.writeArray(response.coordinators, true, (coordinator) => writeCoordinator(writer, coordinator))
    } else writeOnlyCoordinator(writer, version, onlyElement(response.coordinators, NAME, version, 'coordinators'))
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version, request) {
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      coordinators:
        version >= KEYS_FROM
          ? reader.readArray(true, () => readCoordinator(reader))
          : [readOnlyCoordinator(reader, version)],
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    // An error has none.
    if (request !== undefined)
      checkHosts(
        reader,
        response.coordinators.filter(({ errorCode }) => errorCode === 0),
      )
    return response
  },
}

function readCoordinator(reader: ByteReader): Coordinator {
  const coordinator = {
    key: reader.readString(true),
    nodeId: reader.readInt32(),
    host: reader.readString(true),
    port: reader.readInt32(),
    errorCode: reader.readInt16(),
    errorMessage: reader.readNullableString(true),
  }
  reader.readTaggedFields()
  return coordinator
}

function readOnlyCoordinator(reader: ByteReader, version: number): Coordinator {
  const flexible = version >= FLEXIBLE_FROM
  return {
    key: '',
    errorCode: reader.readInt16(),
    errorMessage: version >= 1 ? reader.readNullableString(flexible) : '',
    nodeId: reader.readInt32(),
    host: reader.readString(flexible),
    port: reader.readInt32(),
  }
}

function writeCoordinator(writer: ByteWriter, coordinator: Coordinator): void {
  writer.writeString(coordinator.key, true)
  writer.writeInt32(coordinator.nodeId)
  writer.writeString(coordinator.host, true)
  writer.writeInt32(coordinator.port)
  writer.writeInt16(coordinator.errorCode)
  writer.writeString(coordinator.errorMessage, true)
  writer.writeNoTaggedFields()
}

function writeOnlyCoordinator(writer: ByteWriter, version: number, coordinator: Coordinator): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeInt16(coordinator.errorCode)
  if (version >= 1) writer.writeString(coordinator.errorMessage, flexible)
  writer.writeInt32(coordinator.nodeId)
  writer.writeString(coordinator.host, flexible)
  writer.writeInt32(coordinator.port)
}
