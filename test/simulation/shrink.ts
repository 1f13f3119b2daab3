import { inspect } from 'node:util'
import type { Violation } from './ledger.js'
import { PLAIN, type Action, type PlainOptions, type Scenario } from './scenario.js'
import { simulate } from './simulation.js'
import { without } from './without.js'

/** How many runs shrinking may take. */
const MAX_RUNS = 400

export interface Failing {
  readonly scenario: Scenario
  readonly violation: Violation
}

/** The least of a scenario that still breaks the same rule: fewer actions, plainer ones, plainer surroundings. */
export async function shrink(
  scenario: Scenario,
  rule: string,
  play: (scenario: Scenario) => Promise<{ readonly violation: Violation | undefined }> = simulate,
): Promise<Failing> {
  let runs = 0
  const fails = async (candidate: Scenario): Promise<Violation | undefined> => {
    if (++runs > MAX_RUNS) return undefined
    const { violation } = await play(candidate)
    return violation?.rule === rule ? violation : undefined
  }
  let best = scenario
  let violation = (await fails(scenario)) as Violation
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    const found = await fails(candidate)
    if (found === undefined) return false
    best = candidate
    violation = found
    return true
  }
  // Halves, quarters and so on are left out, down to single actions, until nothing more can be.
  for (let size = Math.ceil(best.actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.actions.length;) {
      const actions = best.actions.filter((_, index) => index < at || index >= at + size)
      if (!(await attempt({ ...best, actions }))) at += size
    }
  }
  for (const plainer of PLAINER) {
    const candidate = plainer(best)
    if (JSON.stringify(candidate) !== JSON.stringify(best)) await attempt(candidate)
  }
  for (let at = 0; at < best.actions.length; at++) {
    for (const field of SPARE) {
      const action = best.actions[at] as Action & Record<string, unknown>
      if (!(field in action)) continue
      await attempt({
        ...best,
        actions: best.actions.with(at, without<Record<string, unknown>, string>(action, field) as Action),
      })
    }
    const action = best.actions[at] as Action
    const replacedBy = (plainer: Action) => attempt({ ...best, actions: best.actions.with(at, plainer) })
    if ((action.do === 'send' || action.do === 'stream') && action.count > 1) await replacedBy({ ...action, count: 1 })
    if (action.do === 'transact') await shrinkSteps(action, replacedBy)
  }
  return { scenario: best, violation }
}

/** Fewer steps, and shorter ones. */
async function shrinkSteps(
  action: Action & { readonly do: 'transact' },
  attempt: (action: Action) => Promise<boolean>,
): Promise<void> {
  let { steps } = action
  for (let at = 0; at < steps.length;) {
    const fewer = steps.filter((_, index) => index !== at)
    if (await attempt({ ...action, steps: fewer })) steps = fewer
    else at++
  }
  for (const [at, step] of steps.entries()) {
    if (step.do !== 'send' || step.count === 1) continue
    const shorter = steps.with(at, { ...step, count: 1 })
    if (await attempt({ ...action, steps: shorter })) steps = shorter
  }
}

const SPARE = [
  'headers',
  'timestamp',
  'signal',
  'code',
  'changes',
  'then',
  'partition',
  'release',
  'elsewhere',
  'rival',
  'late',
  'inFlight',
  'heeds',
  'corks',
  'wrong',
  'partitions',
] as const

/** One field after another as it is where nobody says otherwise. */
const PLAINER: readonly ((scenario: Scenario) => Scenario)[] = [
  ...(Object.keys(PLAIN) as (keyof Scenario)[])
    .filter((field) => !['seed', 'actions', 'options', 'topics'].includes(field))
    .map((field) => (scenario: Scenario) => ({ ...scenario, [field]: PLAIN[field] })),
  (scenario) => without(scenario, 'sessionLifetimeMs'),
  (scenario) => without(scenario, 'config'),
  (scenario) => without(scenario, 'idempotent'),
  (scenario) => without(scenario, 'intercepts'),
  (scenario) => without(scenario, 'watchesCalls'),
  (scenario) => without(scenario, 'statsIntervalMs'),
  (scenario) => without(scenario, 'wantsMetrics'),
  ...(Object.keys(PLAIN.options) as (keyof PlainOptions)[]).map((field) => (scenario: Scenario) => ({
    ...scenario,
    options: { ...scenario.options, [field]: PLAIN.options[field] },
  })),
  (scenario) => ({ ...scenario, options: without(scenario.options, 'retries') }),
  (scenario) => ({ ...scenario, options: without(scenario.options, 'metadataMaxIdleMs') }),
]

/** Where it differs from what is plain, as a test has it. */
export function asCode(scenario: Scenario): string {
  const show = (value: unknown) => inspect(value, { depth: 6, breakLength: 110, maxArrayLength: null })
  const differs = (of: object, plain: object): [string, unknown][] =>
    Object.entries(of).filter(([field, value]) => show(value) !== show((plain as Record<string, unknown>)[field]))
  const options = differs(scenario.options, PLAIN.options).map(([field, value]) => `${field}: ${show(value)}`)
  const fields = differs(scenario, PLAIN).map(([field, value]) =>
    field === 'options' ? `options: { ${['...PLAIN.options', ...options].join(', ')} }` : `${field}: ${show(value)}`,
  )
  return `await simulate({\n  ...PLAIN,\n${fields.map((field) => `  ${field},\n`).join('')}})`
}
