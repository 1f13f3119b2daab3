import type { PartitionQueue } from '../queues/partition-queue.js'
import { BrokerSender, type BrokerSenderConfig, type SenderParts } from './broker-sender.js'

/** The senders of all brokers: each is made when a partition that its broker leads first has something to send. */
export class Senders {
  private readonly byBroker = new Map<number, BrokerSender>()

  constructor(
    private readonly config: BrokerSenderConfig,
    private readonly parts: SenderParts,
  ) {}

  get(brokerId: number): BrokerSender | undefined {
    return this.byBroker.get(brokerId)
  }

  /** Puts a partition on its leader's list. */
  enlist(queue: PartitionQueue): void {
    let sender = this.byBroker.get(queue.leader)
    if (sender === undefined) {
      sender = new BrokerSender(queue.leader, this.config, this.parts)
      this.byBroker.set(queue.leader, sender)
    }
    sender.enlist(queue)
  }

  /** Look again at what is ready: something has changed for it. */
  wake(): void {
    for (const sender of this.byBroker.values()) sender.wake()
  }

  /** Messages have ended: requests whose answers nobody waits for any more are given up. */
  giveUpUnneeded(): void {
    for (const sender of this.byBroker.values()) sender.giveUpUnneeded()
  }

  /** Brokers come and go: the senders of those that the metadata no longer has are let go of, once they are through. */
  keepOnly(brokers: ReadonlyMap<number, unknown>): void {
    for (const [brokerId, sender] of this.byBroker) {
      if (brokers.has(brokerId) || !sender.isIdle) continue
      this.byBroker.delete(brokerId)
      sender.close()
    }
  }

  stop(): void {
    for (const sender of this.byBroker.values()) sender.stop()
  }

  close(): void {
    for (const sender of this.byBroker.values()) sender.close()
  }
}
