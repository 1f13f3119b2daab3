/** What was read back of one producer's messages: copies, in the order read, which is that of offsets in each partition. */

export interface Copy {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export class Found {
  /** Most have one, which needs no list. */
  private readonly bySequence: (Copy | Copy[] | undefined)[] = []
  /** First copies whose message was given after one that stands behind it, in the same partition. */
  readonly overtaken: { readonly sequence: number; readonly by: number; readonly copy: Copy }[] = []
  private readonly newest = new Map<string, number>()

  /** @param isOrdered says whether a message's place in the order means anything */
  constructor(private readonly isOrdered: (sequence: number) => boolean) {}

  add(sequence: number, copy: Copy): void {
    const before = this.bySequence[sequence]
    this.bySequence[sequence] = before === undefined ? copy : [before, copy].flat()
    if (before !== undefined || !this.isOrdered(sequence)) return
    const place = `${copy.topic}-${copy.partition}`
    const newest = this.newest.get(place) ?? -1
    if (sequence > newest) this.newest.set(place, sequence)
    else this.overtaken.push({ sequence, by: newest, copy })
  }

  of(sequence: number): readonly Copy[] {
    const copies = this.bySequence[sequence]
    return copies === undefined ? [] : Array.isArray(copies) ? copies : [copies]
  }
}
