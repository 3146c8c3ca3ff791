import * as nexus from 'nexus-rpc';
import * as wf from '@temporalio/workflow';

export const greetings = nexus.service('greetings', {
  greet: nexus.operation<string, string>(),
  greetSlowly: nexus.operation<string, string>(),
  refuse: nexus.operation<string, string>(),
});

type Operation = keyof typeof greetings.operations;

/** Calls an operation and returns its result. */
export async function callsOperation(endpoint: string, operation: Operation, name: string): Promise<string> {
  const client = wf.createNexusServiceClient({ endpoint, service: greetings });
  return await client.executeOperation(operation, name, { scheduleToCloseTimeout: '1 minute' });
}

/** Cancels an operation that has started, and tells how it ended. */
export async function cancelsOperation(endpoint: string): Promise<string> {
  const client = wf.createNexusServiceClient({ endpoint, service: greetings });
  const scope = new wf.CancellationScope();
  const handle = await scope.run(() =>
    client.startOperation('greetSlowly', 'nobody', { cancellationType: 'WAIT_CANCELLATION_COMPLETED' }),
  );
  scope.cancel();
  try {
    return await handle.result();
  } catch (error) {
    return wf.isCancellation(error) ? 'canceled' : `failed: ${String(error)}`;
  }
}
