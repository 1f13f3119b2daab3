/** CRC-32, the checksum of message sets and of one partitioner. node:zlib is loaded by whoever needs it, not by all. */
export function crc32(bytes: Uint8Array | string): number {
  return process.getBuiltinModule('node:zlib').crc32(bytes)
}
