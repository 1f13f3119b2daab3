import type { Connect } from './clients/bench-client.js'
import type { Job } from './job.js'
import { measure } from './modes.js'
import { corpusPayloads, payloads } from './payloads.js'

/** One measurement in a process of its own: `client.js <name> <job as JSON>`; what it measured as JSON on stdout. */
const [name = '', text = ''] = process.argv.slice(2)
const job = JSON.parse(text) as Job
const { connect } = (await import(`./clients/${name}.js`)) as { connect: Connect }
const client = await connect(job)
const measured = await measure(
  client,
  job,
  job.corpus === undefined ? payloads(job.shape, job.bytes) : corpusPayloads(job.corpus),
)
process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0))
