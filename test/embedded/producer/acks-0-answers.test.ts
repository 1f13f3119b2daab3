import { expect, it } from 'vitest'
import { startProducer, until } from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

it('a broker that answers messages of acks 0 all the same, as Event Hubs does, keeps its connection', async () => {
  const broker = await ScriptedBroker.start()
  const producer = startProducer(broker.address, { acks: 0 })
  for (let i = 0; i < 20; i++) {
    await producer.send({ topic: 't', value: `${i}` })
    await until(() => broker.produced.length === i + 1, 'the message is there')
  }
  // One for metadata, one for messages.
  expect(broker.connections).toBe(2)
  expect(broker.values.flat()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
})
