import { foreignText } from '../../wording/foreign-text.js'
import type { ByteReader } from '../byte-reader.js'
import type { ByteWriter } from '../byte-writer.js'

/**
 * What Produce and Fetch responses tell of a leader that moved (KIP-951), so that a client need not ask for metadata
 * first. Both come in flexible versions only.
 */

/** The current leader of a partition; -1 where the broker does not say. */
export interface LeaderIdAndEpoch {
  readonly leaderId: number
  readonly leaderEpoch: number
}

export interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export const UNKNOWN_LEADER: LeaderIdAndEpoch = { leaderId: -1, leaderEpoch: -1 }

export function isUnknownLeader(leader: LeaderIdAndEpoch): boolean {
  return leader.leaderId === -1 && leader.leaderEpoch === -1
}

export function readLeader(reader: ByteReader): LeaderIdAndEpoch {
  const leader = { leaderId: reader.readInt32(), leaderEpoch: reader.readInt32() }
  reader.readTaggedFields()
  return leader
}

export function writeLeader(writer: ByteWriter, leader: LeaderIdAndEpoch): void {
  writer.writeInt32(leader.leaderId)
  writer.writeInt32(leader.leaderEpoch)
  writer.writeNoTaggedFields()
}

export function readNodeEndpoints(reader: ByteReader): NodeEndpoint[] {
  return reader.readArray(true, () => {
    const node = {
      nodeId: reader.readInt32(),
      host: reader.readString(true),
      port: reader.readInt32(),
      rack: reader.readNullableString(true),
    }
    reader.readTaggedFields()
    return node
  })
}

export function writeNodeEndpoints(writer: ByteWriter, nodes: readonly NodeEndpoint[]): void {
  writer.writeArray(nodes, true, (node) => {
    writer.writeInt32(node.nodeId)
    writer.writeString(node.host, true)
    writer.writeInt32(node.port)
    writer.writeString(node.rack, true)
    writer.writeNoTaggedFields()
  })
}

/** A name, an IPv4 or an IPv6 address, as systems resolve them: some have underscores, and letters beyond ASCII. */
const HOST = /^(?:[\p{L}\p{M}\p{N}._-]{1,255}|[\da-f:.]{2,45}(?:%[\w.-]{1,32})?)$/iu

/** Turns the reader invalid where a host that an answer told is neither a name nor an address. */
export function checkHosts(reader: ByteReader, nodes: readonly { readonly host: string }[]): void {
  const wrong = nodes.find(({ host }) => !HOST.test(host))
  if (wrong !== undefined) reader.fail(`a host that is neither a name nor an address: '${foreignText(wrong.host)}'`)
}
