import type { Dice } from '../simulation/dice.js'
import { ProducerProcess } from './producers.js'
import type { Role } from './roles.js'

/** The producers of a round, and those that took the place of others. */
export class Crew {
  /** All there were. */
  readonly all: ProducerProcess[] = []
  private readonly atWork = new Set<ProducerProcess>()
  private isOver = false

  /** @param bootstrap where brokers are at present */
  constructor(
    private readonly bootstrap: () => string,
    private readonly dir: string,
    private readonly log: (line: string) => void,
  ) {}

  get clientIds(): string[] {
    return [...this.atWork].map(({ role }) => role.name)
  }

  start(role: Role, seed: number): void {
    this.log(`${role.name}: ${JSON.stringify(role)}`)
    const producer = new ProducerProcess(role, this.bootstrap(), seed, this.dir)
    this.all.push(producer)
    this.atWork.add(producer)
  }

  /** Kills one, and starts another in its place; gives the name of the one. */
  replaceOne(dice: Dice): string {
    const one = dice.pick([...this.atWork])
    const { role } = one
    if (this.isOver) return role.name
    one.kill()
    this.atWork.delete(one)
    this.start({ ...role, name: `${role.name}i` }, dice.below(2 ** 31))
    return role.name
  }

  /** Brokers have other addresses from now on. */
  moved(): void {
    for (const producer of this.atWork) producer.tell({ type: 'bootstrap', bootstrap: this.bootstrap() })
  }

  /** Resolves when all have ended. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.all.map((producer) => producer.stop()))
  }
}
