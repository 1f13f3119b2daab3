import type { Timers } from '../timers.js'
import { Group } from './group.js'

/** All consumer groups of a cluster; whichever broker coordinates one finds it here. */
export class Groups {
  private readonly groups = new Map<string, Group>()

  constructor(
    private readonly timers: Timers,
    private readonly initialDelayMs: number,
  ) {}

  get(id: string): Group | undefined {
    return this.groups.get(id)
  }

  getOrCreate(id: string): Group {
    let group = this.groups.get(id)
    if (group === undefined) {
      group = new Group(id, this.timers, this.initialDelayMs)
      this.groups.set(id, group)
    }
    return group
  }

  all(): Group[] {
    return [...this.groups.values()]
  }
}
