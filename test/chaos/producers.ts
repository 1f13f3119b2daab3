/** The processes that produce. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../node/binary.js'
import type { Role } from './roles.js'
import type { Order } from './worker/orders.js'

const PROGRAM = fileURLToPath(new URL('worker/main.ts', import.meta.url))
/** After its deliveryTimeoutMs. */
const CLOSE_MS = 60_000

export class ProducerProcess {
  readonly journal: string
  /** What it did not write down in time is not known. */
  wasKilled = false
  private readonly child: ChildProcess
  private readonly exit: Promise<unknown>

  constructor(
    readonly role: Role,
    bootstrap: string,
    seed: number,
    dir: string,
  ) {
    this.journal = join(dir, `${role.name}.journal`)
    // It may be killed before it has made it.
    writeFileSync(this.journal, '')
    this.child = fork(PROGRAM, [], {
      execPath: nodeBinary(role.node),
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const output = createWriteStream(join(dir, `${role.name}.log`))
    this.child.stdout?.pipe(output)
    this.child.stderr?.pipe(output)
    this.exit = once(this.child, 'exit')
    this.tell({ type: 'start', role, bootstrap, journal: this.journal, seed })
  }

  tell(order: Order): void {
    if (this.child.connected) this.child.send(order, () => undefined)
  }

  /** As by a crash. */
  kill(): void {
    this.wasKilled = true
    this.child.kill('SIGKILL')
  }

  /** Resolves when it has ended: by itself, with nothing left to do, or by force. */
  async stop(): Promise<void> {
    this.tell({ type: 'stop' })
    const timer = setTimeout(() => this.child.kill('SIGKILL'), this.role.deliveryTimeoutMs + CLOSE_MS)
    await this.exit
    clearTimeout(timer)
  }

  get hasEndedWell(): boolean {
    return this.wasKilled || this.child.exitCode === 0
  }
}
