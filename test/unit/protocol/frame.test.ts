import { describe, expect, it } from 'vitest'
import { MalformedResponseError } from '../../../src/errors.js'
import { heartbeat } from '../../../src/protocol/apis/heartbeat.js'
import { decodeResponseFrame, encodeResponseFrame, FrameSplitter, GatheringBound } from '../../../src/protocol/frame.js'
import { encodeRequestFrame } from '../../support/frames.js'

function frameOf(...bytes: number[]): Buffer {
  return Buffer.from([0, 0, 0, bytes.length, ...bytes])
}

/** The frames that come out when the chunks go in; copied, as a view may not be kept. */
function split(splitter: FrameSplitter, ...chunks: Buffer[]): number[][] {
  const frames: number[][] = []
  for (const chunk of chunks) splitter.push(chunk, (frame) => frames.push([...frame]))
  return frames
}

describe('FrameSplitter', () => {
  const stream = Buffer.concat([frameOf(1, 2, 3), frameOf(4), frameOf(5, 6, 7, 8, 9)])
  const frames = [[1, 2, 3], [4], [5, 6, 7, 8, 9]]

  it('takes a byte at a time', () => {
    expect(split(new FrameSplitter(1, 10), ...[...stream].map((byte) => Buffer.from([byte])))).toEqual(frames)
  })

  it('takes several frames in a chunk', () => {
    expect(split(new FrameSplitter(1, 10), stream)).toEqual(frames)
  })

  it('takes chunks that end anywhere', () => {
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)]
        expect(split(new FrameSplitter(1, 10), ...chunks)).toEqual(frames)
      }
    }
  })

  it('hands out a frame as soon as it is whole', () => {
    const splitter = new FrameSplitter(1, 10)
    expect(split(splitter, stream.subarray(0, 6))).toEqual([])
    expect(split(splitter, stream.subarray(6, 7))).toEqual([[1, 2, 3]])
  })

  it('takes frames of no bytes where they are allowed', () => {
    expect(split(new FrameSplitter(0, 10), frameOf(), frameOf(), frameOf(1))).toEqual([[], [], [1]])
  })

  it('takes sizes up to the bounds and no further', () => {
    expect(split(new FrameSplitter(2, 3), frameOf(1, 2), frameOf(1, 2, 3))).toHaveLength(2)
    expect(() => split(new FrameSplitter(2, 3), frameOf(1))).toThrow(MalformedResponseError)
    expect(() => split(new FrameSplitter(2, 3), frameOf(1, 2, 3, 4))).toThrow(MalformedResponseError)
  })

  it.each(['7fffffff', '80000000', 'ffffffff', '48545450'])('refuses the size %s with its fourth byte', (hex) => {
    const size = Buffer.from(hex, 'hex')
    const splitter = new FrameSplitter(4, 1000)
    expect(split(splitter, size.subarray(0, 3))).toEqual([])
    expect(() => split(splitter, size.subarray(3))).toThrow(MalformedResponseError)
  })

  it('keeps the frames before a bad size', () => {
    const seen: number[] = []
    const splitter = new FrameSplitter(1, 10)
    const chunk = Buffer.concat([frameOf(7), Buffer.alloc(4, 0xff)])
    expect(() => splitter.push(chunk, (frame) => seen.push(...frame))).toThrow(MalformedResponseError)
    expect(seen).toEqual([7])
  })

  it('does not copy a frame that lies in one chunk', () => {
    const chunk = frameOf(1, 2)
    const frames: Buffer[] = []
    new FrameSplitter(1, 10).push(chunk, (frame) => frames.push(frame))
    chunk[4] = 9
    expect(frames).toEqual([Buffer.from([9, 2])])
  })
})

describe('a frame that comes in pieces', () => {
  const size = 1_000_000
  const frame = Buffer.concat([Buffer.from([0, 0x0f, 0x42, 0x40]), Buffer.alloc(size, 7)])

  /** How much a shared bound counts after each piece. */
  function heldBy(pieces: readonly Buffer[]): number[] {
    const taken: number[] = []
    let held = 0
    const bound = new GatheringBound(Infinity)
    bound.take = (bytes) => void (held += bytes)
    bound.give = (bytes) => void (held -= bytes)
    const splitter = new FrameSplitter(1, size, bound)
    const frames: Buffer[] = []
    for (const piece of pieces) {
      splitter.push(piece, (whole) => frames.push(whole))
      taken.push(held)
    }
    const isWhole = pieces.reduce((sum, { length }) => sum + length, 0) === frame.length
    expect(frames.map((whole) => whole.equals(frame.subarray(4)))).toEqual(isWhole ? [true] : [])
    return taken
  }

  it('takes no more than twice what came, however small the pieces are, and nothing once it is whole', () => {
    const held = heldBy([...frame].map((byte) => Buffer.from([byte])))
    expect(held.filter((bytes, i) => bytes > Math.max(1024, i * 2))).toEqual([])
    expect(held.at(-1)).toBe(0)
    expect(held.at(-2)).toBe(size)
  })

  it('takes nothing for what was only announced', () => {
    expect(heldBy([frame.subarray(0, 2), frame.subarray(2, 4)])).toEqual([0, 0])
  })

  it('keeps none of the pieces', () => {
    const piece = Buffer.from(frame.subarray(0, 5000))
    const splitter = new FrameSplitter(1, size)
    splitter.push(piece, () => undefined)
    piece.fill(9)
    splitter.push(frame.subarray(5000), (whole) => expect(whole.equals(frame.subarray(4))).toBe(true))
    expect.assertions(1)
  })

  it('gives back what it took, and no more, frame after frame', () => {
    const bound = new GatheringBound(size)
    const splitter = new FrameSplitter(1, size, bound)
    for (let i = 0; i < 3; i++)
      for (const piece of [frame.subarray(0, 5_000), frame.subarray(5_000)]) splitter.push(piece, () => undefined)
    expect(() => bound.take(size + 1)).toThrow(/hold 0 bytes/)
    expect(() => bound.take(size)).not.toThrow()
  })

  it('has begun with the first byte of its size, and until it is whole or nobody wants it', () => {
    const splitter = new FrameSplitter(1, size)
    const seen = [splitter.isGathering]
    for (const [from, to] of [
      [0, 1],
      [1, 4],
      [4, 9],
      [9, frame.length],
      [0, 2],
    ]) {
      splitter.push(frame.subarray(from, to), () => undefined)
      seen.push(splitter.isGathering)
    }
    splitter.clear()
    seen.push(splitter.isGathering)
    splitter.push(frame.subarray(0, 9), () => undefined)
    splitter.clear()
    seen.push(splitter.isGathering)
    expect(seen).toEqual([false, true, true, true, false, true, false, false])
  })

  it('is refused where others have what all may hold together, and gives back what it held itself', () => {
    const bound = new GatheringBound(300_000)
    const [one, other] = [new FrameSplitter(1, size, bound), new FrameSplitter(1, size, bound)]
    one.push(frame.subarray(0, 200_000), () => undefined)
    expect(() => other.push(frame.subarray(0, 200_000), () => undefined)).toThrow(
      /hold 199996 bytes, and 199996 more are wanted; allowed are 300000 on all/,
    )
    one.clear()
    other.clear()
    other.push(frame.subarray(0, 200_000), () => undefined)
  })

  it('is asked for its bound when its first byte is there, and not before', () => {
    const asked: string[] = []
    const splitter = new FrameSplitter(1, () => asked.push('asked') && 3)
    split(splitter, frameOf(1))
    expect(asked).toHaveLength(1)
    split(splitter, Buffer.from([0]), Buffer.from([0, 0, 3, 1]), Buffer.from([2, 3]))
    expect(asked).toHaveLength(2)
  })
})

describe('frames', () => {
  const request = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }

  it('of a request: size, header, body', () => {
    const frame = encodeRequestFrame(heartbeat, 4, 7, 'me', request)
    const header = '000c' + '0004' + '00000007' + '00026d65' + '00'
    const body = '0267' + '00000001' + '026d' + '00' + '00'
    expect(frame.toString('hex')).toBe('00000017' + header + body)
    expect(encodeRequestFrame(heartbeat, 4, 7, 'me', request, 0)).toEqual(frame)
  })

  it.each([0, 4])('of a response in version %i', (version) => {
    const response = { throttleTimeMs: 0, errorCode: 27 }
    const frame = encodeResponseFrame(heartbeat, version, 9, response)
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
    expect(frame.readInt32BE(4)).toBe(9)
    expect(decodeResponseFrame(heartbeat, version, frame.subarray(4))).toEqual(response)
  })

  it('that do not fit say which response and why', () => {
    const frame = Buffer.from('00000001' + '0000', 'hex')
    expect(() => decodeResponseFrame(heartbeat, 1, frame)).toThrow(
      new MalformedResponseError('Heartbeat v1 response: 4 bytes wanted, 2 left at byte 4'),
    )
  })
})
