/** What a producer's process is told by the one that started it. */
import type { Role } from '../roles.js'

export type Order =
  | {
      readonly type: 'start'
      readonly role: Role
      readonly bootstrap: string
      readonly journal: string
      readonly seed: number
    }
  /** Where brokers are, when one has another address: for producers that are made from now on. */
  | { readonly type: 'bootstrap'; readonly bootstrap: string }
  /** Give no more messages; end when all have their fate. */
  | { readonly type: 'stop' }
