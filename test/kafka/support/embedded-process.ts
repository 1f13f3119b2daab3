/** An embedded broker alone in its process: `embedded-process.ts <topic> <partitions> <bytes to keep>`; prints its address. */
import { EmbeddedKafka } from '../../../src/testing/index.js'

const [topic = '', partitions = '1', bytes = '0'] = process.argv.slice(2)
const kafka = await EmbeddedKafka.start({
  topics: { [topic]: { partitions: Number(partitions) } },
  retentionBytes: Number(bytes),
  requestHistory: 10,
})
process.stdout.write(`${kafka.bootstrap}\n`)
process.stdin.on('end', () => void kafka.stop()).resume()
