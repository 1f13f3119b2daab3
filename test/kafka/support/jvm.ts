/**
 * Runs Java: a tool to its end, or a server that never outlives the process that started it (unless asked to).
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, closeSync, readdirSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

export type JavaVersion = '17' | '25'

/** The JVM's own share of a quick start and a small footprint; C1 alone reaches a served request in half the time. */
const lightFlags = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
]

// What Kafka before 2.0 reaches into by reflection, and Java 17 keeps closed.
const openFlags = ['java.lang', 'java.nio', 'java.util', 'sun.nio.ch'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
)

export function javaHome(version: JavaVersion): string {
  const root = '/usr/lib/jvm'
  const candidates = existsSync(root)
    ? readdirSync(root).filter((name) => new RegExp(`(^|\\D)${version}(\\D|$)`).test(name))
    : []
  const home = candidates.map((name) => join(root, name)).find((path) => existsSync(join(path, 'bin/java')))
  if (home === undefined) throw new Error(`Java ${version} is not installed: no folder of it in ${root}.`)
  return home
}

export interface JavaCall {
  readonly java: JavaVersion
  readonly libs: string
  /** Folders besides the jars. */
  readonly classPath?: readonly string[]
  readonly main: string
  readonly args: readonly string[]
  readonly flags?: readonly string[]
  readonly timeoutMs?: number
}

/**
 * The classes of a server that ran, parsed and verified: with it, the next one starts in half the time. It lies among the jars
 * that it was made from, since the JVM refuses it for any others.
 */
function classArchive(call: { readonly libs: string; readonly java: JavaVersion }): string {
  return join(call.libs, `classes-${call.java}.jsa`)
}

function commandLine(call: JavaCall): string[] {
  const archive = classArchive(call)
  return [
    join(javaHome(call.java), 'bin/java'),
    ...lightFlags,
    ...openFlags,
    existsSync(archive) ? `-XX:SharedArchiveFile=${archive}` : '-XX:+RecordDynamicDumpInfo',
    ...(call.flags ?? []),
    '-cp',
    [join(call.libs, '*'), ...(call.classPath ?? [])].join(':'),
    call.main,
    ...call.args,
  ]
}

/** Runs a main class to its end; resolves with its stdout, as bytes (the JVM's own warnings would go there too). */
export async function runJava(call: JavaCall): Promise<Buffer> {
  const [file = '', ...args] = commandLine({
    ...call,
    flags: ['-Xmx256m', '-Xlog:disable', '-Xlog:all=warning:stderr', ...(call.flags ?? [])],
  })
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { encoding: 'buffer', maxBuffer: 1 << 30, timeout: call.timeoutMs ?? 120_000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else if (error.killed === true) reject(new Error(`${call.main} did not end in time.`, { cause: error }))
        else
          reject(
            new Error(`${call.main} failed: ${stdout.toString().slice(-2000)}${stderr.toString().slice(-2000)}`, {
              cause: error,
            }),
          )
      },
    )
  })
}

/** Compiles a class against a release's jars, into a folder. */
export async function compileJava(java: JavaVersion, libs: string, source: string, folder: string): Promise<void> {
  const args = ['-nowarn', '-cp', join(libs, '*'), '-d', folder, source]
  await promisify(execFile)(join(javaHome(java), 'bin/javac'), args, { timeout: 60_000 })
}

export interface ServerCall extends JavaCall {
  /** stdout and stderr are appended here. */
  readonly log: string
  /** Removed by the watchdog if the parent dies before it could do so itself. */
  readonly dataDir: string
  /** Lives on after the parent. */
  readonly detached: boolean
}

/**
 * The shell turns into the JVM (`exec`), so that the child's pid is the JVM's. Before that it leaves a watchdog behind, which
 * reads from a pipe that only the parent holds: a line means that the JVM's end is known; the end of the pipe means that the
 * parent is gone, however it went, SIGKILL included. The pipe is not stdin, since Node closes that before it tells of the exit.
 */
const watchdogScript = `
( read -r _ <&3 || { kill -9 $$; sleep 1; rm -rf "$DATA_DIR"; } ) &
exec "$@" 3<&-`

export class JvmServer {
  readonly pid: number
  readonly #child: ChildProcess
  #exited = false
  #frozen = false
  #isStopping = false
  #killedAt: number | undefined

  constructor(private readonly call: ServerCall) {
    const [file = '', ...args] = commandLine(call)
    const log = openSync(call.log, 'a')
    // Its own process group: Ctrl-C in the terminal is the parent's to handle.
    this.#child = call.detached
      ? spawn(file, args, { detached: true, stdio: ['ignore', log, log] })
      : spawn('sh', ['-c', watchdogScript, 'sh', file, ...args], {
          detached: true,
          stdio: ['ignore', log, log, 'pipe'],
          env: { ...process.env, DATA_DIR: call.dataDir },
        })
    closeSync(log)
    const watchdog = this.#child.stdio[3] as Socket | undefined
    this.#child.on('error', () => {
      this.#exited = true
    })
    this.#child.once('exit', () => {
      this.#exited = true
      if (!this.#isStopping) this.#killedAt ??= Date.now()
      watchdog?.end('\n')
    })
    watchdog?.on('error', () => undefined)
    // A forgotten cluster must not keep the test process alive.
    watchdog?.unref()
    this.#child.unref()
    this.pid = this.#child.pid ?? 0
  }

  get running(): boolean {
    return !this.#exited
  }
  /** Set if it did not end in order, and so could not sign off anywhere. */
  get killedAt(): number | undefined {
    return this.#killedAt
  }
  get frozen(): boolean {
    return this.#frozen
  }

  /** To be called on a server that has done some work. Without an archive everything works, so its failure is nobody's. */
  async archiveClasses(): Promise<void> {
    const archive = classArchive(this.call)
    // It would be of no use to those without the same folders.
    if (existsSync(archive) || (this.call.classPath ?? []).length > 0) return
    const unfinished = `${archive}.${this.pid}`
    const dump = ['VM.cds', 'dynamic_dump', unfinished]
    await promisify(execFile)(join(javaHome(this.call.java), 'bin/jcmd'), [String(this.pid), ...dump], {
      timeout: 30_000,
    })
      .then(() => rename(unfinished, archive))
      .catch(() => undefined)
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
    this.#frozen = true
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
    this.#frozen = false
  }

  /** SIGTERM, and SIGKILL for one that does not go. */
  async stop(graceMs: number): Promise<void> {
    if (this.#exited) return
    if (this.#frozen) this.thaw()
    this.#isStopping = true
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const timer = new AbortController()
    await Promise.race([exit, delay(graceMs, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    await this.kill()
  }

  async kill(): Promise<void> {
    if (this.#exited) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    // The child does not keep the event loop alive; this wait must.
    const alive = setInterval(() => undefined, 1000)
    await exit
    this.#killedAt = Date.now()
    clearInterval(alive)
    this.#frozen = false
  }
}
