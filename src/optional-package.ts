/**
 * A package that is used where it is installed; null where it is not, or has no binary for this machine.
 *
 * Loaded by a function that no bundler follows, so that a bundle neither has native files in it nor fails for the want
 * of them. It is looked for from this file, and from the program: in a bundle of ES modules this file has no name
 * (`import.meta` would be one, and is an error in CommonJS). Never from the folder that the process was started in:
 * whoever may write there is not to say what runs here.
 */
export function optionalPackage(name: string): unknown {
  for (const base of [typeof __filename === 'string' ? __filename : undefined, process.argv[1]]) {
    if (base === undefined) continue
    try {
      return process.getBuiltinModule('node:module').createRequire(base)(name)
    } catch {
      // It may be found from the next one; and nothing depends on it.
    }
  }
  return null
}
