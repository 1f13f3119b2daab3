/** `npm run bench:report`: writes `docs/performance.md` and its charts from `.reports/bench.json`. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GROUPS } from '../cases.js'
import { RESULTS, ROOT } from '../paths.js'
import { readResults } from '../results.js'
import { charts } from './charts.js'
import { CHARTS, page } from './markdown.js'

const results = await readResults(RESULTS)
const folder = join(ROOT, 'docs', CHARTS)
const drawn = Object.keys(GROUPS).flatMap((name) => charts(name, results))
await rm(folder, { recursive: true, force: true })
if (drawn.length > 0) await mkdir(folder)
for (const { file, svg } of drawn) await writeFile(join(folder, file), svg)
await writeFile(join(ROOT, 'docs', 'performance.md'), page(results))
