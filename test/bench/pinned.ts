import { cpus } from 'node:os'

/** Who runs where, if there are cores to divide and a way to do so. */
export const CORES: { readonly client: number | undefined; readonly server: number | undefined } =
  process.platform === 'linux' && cpus().length > 1
    ? { client: 0, server: 1 }
    : { client: undefined, server: undefined }

export function pinned(core: number | undefined, command: readonly string[]): string[] {
  return core === undefined ? [...command] : ['taskset', '-c', String(core), ...command]
}
