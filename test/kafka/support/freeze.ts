/** Pausing a broker so that it has stopped: the signal reaches its threads one by one, and until then they still answer. */
import { readdir, readFile } from 'node:fs/promises'
import type { RealKafka } from './real-kafka.js'

export async function freeze(kafka: RealKafka, broker: number): Promise<void> {
  const pid = kafka.brokers.find(({ id }) => id === broker)?.pid ?? 0
  kafka.pauseBroker(broker)
  while (!(await hasStopped(pid)));
}

/** Linux tells the state of each thread behind the program's name, which stands in parentheses. */
async function hasStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const states = await Promise.all(
    threads.map(async (thread) => {
      // A thread may end meanwhile.
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => ') T')
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
    }),
  )
  return states.every((state) => state === 'T')
}
