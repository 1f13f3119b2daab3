import type { Random } from '../../random.js'
import type { Timers } from '../timers.js'
import { Group } from './group.js'

/** All consumer groups of a cluster; whichever broker coordinates one finds it here. */
export class AllGroups {
  private readonly groups = new Map<string, Group>()
  /** The highest epoch of each producer that offsets were committed for, or a marker written to. */
  private readonly producerEpochs = new Map<bigint, number>()

  constructor(
    private readonly timers: Timers,
    private readonly random: Random,
    private readonly initialDelayMs: number,
  ) {}

  get(id: string): Group | undefined {
    return this.groups.get(id)
  }

  getOrCreate(id: string): Group {
    let group = this.groups.get(id)
    if (group === undefined) {
      group = new Group(id, this.timers, this.random, this.initialDelayMs)
      this.groups.set(id, group)
    }
    return group
  }

  /** Remembers the epoch; false where a higher one has been here. */
  sees(producerId: bigint, epoch: number): boolean {
    if (epoch < (this.producerEpochs.get(producerId) ?? epoch)) return false
    this.producerEpochs.set(producerId, epoch)
    return true
  }

  all(): Group[] {
    return [...this.groups.values()]
  }
}
