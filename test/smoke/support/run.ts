import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** What a command prints; what fails is shown with all that it said. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<Output> {
  try {
    return await promisify(execFile)(command, args, {
      cwd,
      maxBuffer: 1 << 26,
      // Ended before its test is: nothing is to be left running.
      timeout: 240_000,
      killSignal: 'SIGKILL',
      // What runs these tests is not to be noticed by what they run: neither its packages nor that it is a test.
      env: { ...without(process.env, /^(NODE_ENV|NODE_OPTIONS|VITEST.*|npm_(lifecycle|package)_.*)$/), NODE_PATH: '' },
    })
  } catch (error) {
    const { stdout, stderr, message } = error as Error & Partial<Output>
    throw new Error([message, stdout ?? '', stderr ?? ''].map(shortened).join('\n'))
  }
}

/** A stack in a bundle may quote all of it, on one line. */
function shortened(output: string): string {
  return output.replace(/.{500,}/g, (line) => `${line.slice(0, 200)} … ${line.slice(-200)}`)
}

function without(environment: NodeJS.ProcessEnv, names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.test(name)))
}
