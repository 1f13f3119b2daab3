import type { Socket } from 'node:net'
import type { Wind } from './weather.js'

/** So much waits here before the sender has to; sockets hold more. */
const MOST_WAITING_BYTES = 256 << 10
/** How often a slow stream has its next piece. */
const DRIP_MS = 20

interface Waiting {
  readonly bytes: Buffer
  readonly dueAt: number
}

/** Takes the bytes of one direction of a connection to the other side, as the wind lets it. */
export class Direction {
  private readonly waiting: Waiting[] = []
  private waitingBytes = 0
  private hasEnded = false
  private isStopped = false
  private timer: NodeJS.Timeout | undefined

  /**
   * @param wind asked whenever bytes could go on
   * @param onPassed called with bytes that go on, before they do; false keeps them back for good
   */
  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly wind: () => Wind,
    private readonly onPassed: (bytes: Buffer) => boolean,
  ) {
    from.on('data', (bytes: Buffer) => {
      this.waiting.push({ bytes, dueAt: performance.now() + (this.wind().delayMs ?? 0) })
      this.waitingBytes += bytes.length
      if (this.waitingBytes > MOST_WAITING_BYTES) from.pause()
      this.goOn()
    })
    from.on('end', () => {
      this.hasEnded = true
      this.goOn()
    })
    to.on('drain', () => this.goOn())
  }

  /** To be called when the wind has changed, too. */
  goOn(): void {
    clearTimeout(this.timer)
    if (this.isStopped) return
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      const { isLost = false, bytesPerSecond } = this.wind()
      if (isLost || this.to.destroyed || this.to.writableNeedDrain) return
      const early = next.dueAt - performance.now()
      if (early > 0) return this.later(early)
      this.waiting.shift()
      const piece = bytesPerSecond === undefined ? next.bytes.length : Math.ceil((bytesPerSecond * DRIP_MS) / 1000)
      const bytes = next.bytes.subarray(0, piece)
      if (bytes.length < next.bytes.length) this.waiting.unshift({ ...next, bytes: next.bytes.subarray(piece) })
      this.waitingBytes -= bytes.length
      if (this.waitingBytes <= MOST_WAITING_BYTES && this.from.isPaused()) this.from.resume()
      if (!this.onPassed(bytes)) return this.stop()
      this.to.write(bytes)
      if (bytesPerSecond !== undefined) return this.later(DRIP_MS)
    }
    if (this.hasEnded && !this.wind().isLost) this.to.end()
  }

  /** Nothing goes on any more. */
  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => this.goOn(), ms)
  }
}
