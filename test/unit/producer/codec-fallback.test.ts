import { expect, it, vi } from 'vitest'
import { InvalidConfigError } from '../../../src/errors.js'
import { ProducerConfig, type ProducerOptions } from '../../../src/index.js'

vi.mock('../../../src/compression/zstd.js', () => ({
  zstdCodec: () => {
    throw new InvalidConfigError('zstd needs a newer Node')
  },
}))

const codecOf = (compression: ProducerOptions['compression']) => {
  const { compressionChoice, notes } = new ProducerConfig({ brokers: 'localhost', compression })
  return [compressionChoice.of('orders')?.codec.name ?? 'none', notes]
}
const NOTE = 'compression: zstd needs a newer Node; its fallback stands in'

it.each(['gzip', 'lz4', 'none'])(
  'a codec that can’t run here goes with its fallback, %s, and that is noted',
  (fallback) => {
    expect(codecOf({ type: 'zstd', fallback })).toEqual([fallback, [NOTE]])
  },
)

it('without a fallback it is refused, and so is what is none', () => {
  expect(() => codecOf('zstd')).toThrow('compression: zstd needs a newer Node')
  expect(() => codecOf({ type: 'zstd', level: 3 })).toThrow('compression: zstd needs a newer Node')
  expect(() => codecOf({ type: 'zstandard', fallback: 'gzip' })).toThrow(/no codec 'zstandard'/)
  expect(() => codecOf({ type: 'zstd', fallback: 'zstandard' })).toThrow(/no codec 'zstandard'/)
})

it('what can run is left as it is', () => {
  expect(codecOf({ type: 'gzip', fallback: 'lz4' })).toEqual(['gzip', []])
})
