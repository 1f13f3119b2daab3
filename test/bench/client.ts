import { run, type BenchClient, type Mode } from './clients/modes.js'

/** One measurement in a process of its own: `client.ts <module> <bootstrap> <mode> <size> <count>`; JSON on stdout. */
const [module = '', bootstrap = '', mode = 'batch', size = '100', count = '1000000'] = process.argv.slice(2)
const { connect } = (await import(module)) as { connect: (bootstrap: string, mode: Mode) => BenchClient | Promise<BenchClient> }
const client = await connect(bootstrap, mode as Mode)
const total = Number(count)
await run(client, mode as Mode, Math.max(1_000, Math.ceil(total / 10_000) * 1_000), Number(size))
const measured = await run(client, mode as Mode, total, Number(size))
process.stdout.write(`${JSON.stringify({ ...measured, warmUp: Math.max(1_000, Math.ceil(total / 10_000) * 1_000) })}\n`)
await client.close()
process.exit(0)
