/** A Kerberos realm for a test: MIT's key distribution centre on a free port of loopback, all it knows in a folder of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const REALM = 'KAFKA.TEST'

/** Debian's Python, for which its packages are: another one may come first on the PATH. */
export const PYTHON = '/usr/bin/python3'

const PACKAGES = ['krb5-kdc', 'krb5-admin-server', 'krb5-user', 'python3-gssapi']

/** Installs what is missing where Debian's package manager is there. */
export async function ensureKerberos(): Promise<void> {
  const isThere =
    ['/usr/sbin/krb5kdc', '/usr/sbin/kadmin.local', '/usr/bin/kinit'].every(existsSync) &&
    (await run(PYTHON, ['-c', 'import gssapi']).then(
      () => true,
      () => false,
    ))
  if (isThere) return
  const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  try {
    await run('apt-get', ['update', '-qq'], quiet)
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES], quiet)
  } catch (error) {
    throw new Error(
      `${PACKAGES.join(', ')} are not all there, and apt-get could not install them: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

export class Kerberos {
  private constructor(
    readonly dir: string,
    private readonly kdc: ChildProcess,
  ) {}

  static async start(): Promise<Kerberos> {
    const dir = mkdtempSync(join(tmpdir(), 'kafka-producer-kerberos-'))
    const port = await freePort()
    writeFileSync(
      join(dir, 'krb5.conf'),
      `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${REALM} = {
    kdc = 127.0.0.1:${port}
  }
`,
    )
    writeFileSync(
      join(dir, 'kdc.conf'),
      `[kdcdefaults]
  kdc_listen = 127.0.0.1:${port}
  kdc_tcp_listen = 127.0.0.1:${port}
[realms]
  ${REALM} = {
    database_name = ${dir}/principal
    key_stash_file = ${dir}/stash
    acl_file = ${dir}/none
    max_life = 1h
  }
`,
    )
    await run('/usr/sbin/kdb5_util', ['create', '-s', '-r', REALM, '-P', 'master'], { env: environment(dir) })
    const kdc = spawn('/usr/sbin/krb5kdc', ['-n', '-P', join(dir, 'pid')], {
      env: { ...environment(dir), KRB5_TRACE: join(dir, 'trace') },
      stdio: 'ignore',
    })
    const kerberos = new Kerberos(dir, kdc)
    await kerberos.untilListening(port)
    return kerberos
  }

  /** For brokers' JVMs. */
  get configuration(): string {
    return join(this.dir, 'krb5.conf')
  }

  /** Introduces a user or a service; resolves with its key table. */
  async addPrincipal(name: string): Promise<string> {
    const keyTable = join(this.dir, `${name.replaceAll('/', '-')}.keytab`)
    await this.administer(`addprinc -randkey ${name}`)
    await this.administer(`ktadd -k ${keyTable} ${name}`)
    return keyTable
  }

  /** Fetches a ticket for a user; resolves with the environment of processes that are to have it. */
  async signIn(name: string, keyTable: string): Promise<NodeJS.ProcessEnv> {
    const env = { ...this.signedOut(), KRB5CCNAME: `FILE:${join(this.dir, `${name}.tickets`)}` }
    await run('/usr/bin/kinit', ['-k', '-t', keyTable, name], { env })
    return env
  }

  /** The environment of processes that have no ticket. */
  signedOut(): NodeJS.ProcessEnv {
    return { ...environment(this.dir), KRB5CCNAME: `FILE:${join(this.dir, 'no.tickets')}` }
  }

  async stop(): Promise<void> {
    if (this.kdc.exitCode === null && this.kdc.signalCode === null) {
      const exit = once(this.kdc, 'exit')
      this.kdc.kill('SIGKILL')
      await exit
    }
    await rm(this.dir, { recursive: true, force: true })
  }

  private async administer(query: string): Promise<void> {
    const { stderr } = await run('/usr/sbin/kadmin.local', ['-r', REALM, '-q', query], { env: environment(this.dir) })
    // It ends with 0 whatever came of the query.
    if (/while|error/i.test(stderr)) throw new Error(`kadmin.local ${query}: ${stderr}`)
  }

  private async untilListening(port: number): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const socket = connect(port, '127.0.0.1')
      const isThere = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      socket.destroy()
      if (isThere) return
      await delay(100)
    }
    await this.stop()
    throw new Error('krb5kdc does not listen')
  }
}

function environment(dir: string): NodeJS.ProcessEnv {
  return { ...process.env, KRB5_CONFIG: join(dir, 'krb5.conf'), KRB5_KDC_PROFILE: join(dir, 'kdc.conf') }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
