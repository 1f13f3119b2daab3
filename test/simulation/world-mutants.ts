import type { Mutant } from './mutants.js'

const QUEUES = 'src/producer/queues'
const SENDING = 'src/producer/sending'

/** Faults that show only where the world changes. */
export const WORLD_MUTANTS: readonly Mutant[] = [
  {
    fault: 'in a cluster made anew a producer keeps its id',
    file: `${SENDING}/idempotence.ts`,
    find: '    identity.forget()\n    this.unnumbered',
    replace: '    this.unnumbered',
  },
  {
    fault: 'a leader whose log retention has emptied counts as one that lost it',
    file: `${QUEUES}/partition-sequences.ts`,
    find: '    return this.lastOffset >= 0n && logStartOffset > this.lastOffset\n',
    replace: '    return this.lastOffset >= 0n && logStartOffset < 0n\n',
  },
  {
    fault: 'a batch that is too large for its topic fails as a whole',
    file: `${SENDING}/answer-verdict.ts`,
    find: 'messages > 1 && (TOO_LARGE.has(code) || ',
    replace: 'messages > 1 && (',
  },
  {
    fault: 'a topic in an old format gets sequences',
    file: `${SENDING}/answer-verdict.ts`,
    find: '    if (TAKES_NO_SEQUENCES.has(code) && facts.maySendUnnumbered) return UNNUMBER\n',
    replace: '',
  },
  {
    fault: 'interceptors are not told of what was refused',
    file: 'src/producer/interceptors.ts',
    find: '      await this.tellAll(intercepted, fatesIn(error))\n',
    replace: '',
  },
]
