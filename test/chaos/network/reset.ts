import type { Socket } from 'node:net'

/** Node leaves open what it is to reset while its FIN is on the way, and waits for it at its exit for ever. */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
