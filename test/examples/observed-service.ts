import { createServer, type Server } from 'node:http'
import { register } from 'prom-client'
import { Producer, type Logger } from '../../src/index.js'
import { KafkaProducerInstrumentation } from '../../src/opentelemetry/index.js'
import { collectProducerMetrics } from '../../src/prometheus/index.js'

export function startShop(brokers: string, logger: Logger, port: number): Server {
  new KafkaProducerInstrumentation()
  const producer = new Producer({ brokers, clientId: 'shop', logger })
  collectProducerMetrics(producer)
  const answer = async (url: string) => {
    if (url === '/metrics') return register.metrics()
    const [{ offset }] = await producer.send({ topic: 'orders', value: url })
    return `order ${offset}`
  }
  const server = createServer(({ url = '' }, response) => void answer(url).then((text) => response.end(text)))
  return server.listen(port).once('close', () => void producer.close())
}
