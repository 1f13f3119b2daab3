import type { Mutant } from './mutants.js'

const PRODUCER = 'src/producer/producer.ts'
const READINESS = 'src/producer/readiness.ts'
const METRICS = 'src/producer/telemetry/metrics-push.ts'
const ROUTER = 'src/producer/queues/topic-router.ts'

/** Faults that show only where all else is made use of that a producer has. */
export const CALLER_MUTANTS: readonly Mutant[] = [
  {
    fault: 'flush() does not wait for what interceptors are told',
    file: PRODUCER,
    find: 'return this.#interceptors === undefined ? settled : Promise.all([settled, this.#interceptors.toldSoFar()])',
    replace: 'return settled',
  },
  {
    fault: 'flush() waits for nothing',
    file: PRODUCER,
    find: '    const settled = this.#settledSoFar()\n',
    replace: '    const settled = Promise.resolve()\n',
  },
  {
    fault: 'a flush() that is through leaves its timer',
    file: PRODUCER,
    find: '      throw toldToCaller(error)\n    } finally {\n      deadline?.cancel()\n',
    replace: '      throw toldToCaller(error)\n    } finally {\n      void deadline\n',
  },
  {
    fault: 'flush() with a time waits without limit',
    file: PRODUCER,
    find: 'await Promise.race([settled, late])\n      return',
    replace: 'await (late.catch(() => undefined), settled)\n      return',
  },
  {
    fault: 'connect() does not heed its signal',
    file: READINESS,
    find: 'this.signals.add(signal, () => end.abort(abortedBy(signal, CONNECTING)))',
    replace: 'this.signals.add(signal, () => undefined)',
  },
  {
    fault: 'connect() leaves its timer',
    file: READINESS,
    find: '      deadline.cancel()\n',
    replace: '',
  },
  {
    fault: 'health() asks nobody',
    file: READINESS,
    find: '      info.reach().catch(() => (this.askAgainAt = this.clock.now() + this.retryBackoffMs))\n',
    replace: '      void info\n',
  },
  {
    fault: 'a producer of transactions that closes is healthy',
    file: 'src/producer/transactional-producer.ts',
    find: 'this.#closing === undefined ? this.#manager.unusable : new ProducerClosedError()',
    replace: 'this.#manager.unusable',
  },
  {
    fault: 'onStats is not told what it came to',
    file: 'src/producer/observing/stats-reports.ts',
    find: '    this.clock.clearInterval(this.timer)\n    this.tell()\n',
    replace: '    this.clock.clearInterval(this.timer)\n',
  },
  {
    fault: 'onStats is told of a closed producer for ever',
    file: 'src/producer/observing/stats-reports.ts',
    find: '    this.clock.clearInterval(this.timer)\n',
    replace: '',
  },
  {
    fault: 'a stream to a broker that comes too late is nobody’s',
    file: 'src/network/streams/given-stream.ts',
    find: '    given?.then(discard, () => undefined)\n',
    replace: '    given?.catch(() => undefined)\n',
  },
  {
    fault: 'a way to brokers that never comes is waited for',
    file: 'src/network/streams/given-stream.ts',
    find: '      timeoutMs,\n      signal,\n    )\n',
    replace: '      0x7fffffff,\n      signal,\n    )\n',
  },
  {
    fault: 'a topic that was forgotten begins its sequences anew under the same epoch',
    file: ROUTER,
    find: '    for (const identity of identities) this.parts.leave(identity)\n',
    replace: '',
  },
  {
    fault: 'topics are forgotten under their messages',
    file: ROUTER,
    find: 'if (topic.usedAt <= idleSince && topic.isEmpty) this.forget(topic)',
    replace: 'if (topic.usedAt <= idleSince) this.forget(topic)',
  },
  {
    fault: 'a partition without a leader that is sent to is asked for by nobody',
    file: ROUTER,
    find: 'if (its !== undefined && !queue.isEmpty) this.watch.await(its)',
    replace: 'if ((false as boolean) && its !== undefined) this.watch.await(its)',
  },
  {
    fault: 'each topic that waits begins to ask for all that do',
    file: 'src/producer/queues/metadata-watch.ts',
    find: '    this.isPacing = true\n',
    replace: '',
  },
  {
    fault: 'metrics are pushed when the producer is closed',
    file: METRICS,
    find: '    clock.clearTimeout(this.timer)\n    if (subscription',
    replace: '    if (subscription',
  },
  {
    fault: 'the last metrics are not pushed',
    file: METRICS,
    find: 'const request = await this.requestFor(subscription, true)',
    replace: 'const request = await this.requestFor(subscription, false)',
  },
]
