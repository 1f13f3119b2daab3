import { inspect } from 'node:util'

const SHOWN = '[secret]'

/** Holds what must not be seen: whatever prints, inspects or serialises its owner finds a placeholder. */
export class Secret<T> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}
