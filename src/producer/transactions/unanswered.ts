/**
 * What was asked of coordinators under one epoch and has no answer, though a later try may have had one: they may carry it
 * out yet, and under the same epoch they would take it for a part of whatever is open then.
 */
export class Unanswered {
  private requests = 0
  private readonly ofGroups = new Map<string, number>()

  /** Whether there is any. */
  get isAny(): boolean {
    return this.requests > 0
  }

  /** Groups that may be told offsets late. */
  get groups(): string[] {
    return [...this.ofGroups].filter(([, requests]) => requests > 0).map(([groupId]) => groupId)
  }

  /** @param groupId of a request that commits its offsets */
  written(groupId?: string): void {
    this.count(1, groupId)
  }

  answered(groupId?: string): void {
    this.count(-1, groupId)
  }

  private count(more: number, groupId: string | undefined): void {
    this.requests += more
    if (groupId !== undefined) this.ofGroups.set(groupId, (this.ofGroups.get(groupId) ?? 0) + more)
  }
}
