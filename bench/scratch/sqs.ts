import { randomUUID } from 'node:crypto';
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { encodeEnvelope } from '../../shared/scratch/queue/drivers/sqs/envelope.ts';
import { SqsService } from '../../shared/scratch/queue/drivers/sqs/service.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { startSqsServer } from '../../test/harness/servers/index.ts';
import { type Backend, PLAN, TOPIC, VALUE, VISIBILITY_S } from './contender.ts';

const REGION = 'us-east-1';
const SYSTEM_ATTRIBUTES = ['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp', 'SentTimestamp'] as const;

/**
 * On fauxqs: this tells what the driver adds to a request, not what SQS does. One at a time: with more the driver puts sends
 * and deletes together, and the bare client would not be doing the same calls.
 */
export async function startSqs(): Promise<Backend> {
  const server = await startSqsServer();
  const queue = await openQueue(`sqs://${REGION}?endpoint=${server.url}`);
  const bare = new SQSClient({ region: REGION, endpoint: server.url, useQueueUrlAsEndpoint: false });
  const maker = new SqsService({ region: REGION, endpoint: server.url, prefix: 'bare', dedupes: true });
  const QueueUrl = await maker.make('bare-queue-with-a-name-as-long-as-those-of-the-driver.fifo', { by: 'bench' });
  maker.close();
  return {
    contests: [
      {
        name: 'sqs_queue',
        ...{ opsPerStep: 3, steps: 200, concurrency: 1 },
        async ours() {
          await queue.publish({ planId: PLAN, topic: TOPIC, body: VALUE });
          const [message] = await queue.consume({ planId: PLAN, topic: TOPIC, visibilityTimeoutS: VISIBILITY_S });
          await queue.ack({ planId: PLAN, topic: TOPIC, receiptHandle: message?.receiptHandle ?? '' });
        },
        async bare() {
          const id = randomUUID();
          const named = { Id: '0', MessageGroupId: id, MessageDeduplicationId: id };
          const MessageBody = encodeEnvelope({ id, body: VALUE, delayMs: 0 });
          await bare.send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ ...named, MessageBody }] }));
          const { Messages: [message] = [] } = await bare.send(
            new ReceiveMessageCommand({
              ...{ QueueUrl, MaxNumberOfMessages: 1, WaitTimeSeconds: 0, VisibilityTimeout: VISIBILITY_S },
              MessageSystemAttributeNames: [...SYSTEM_ATTRIBUTES],
            }),
          );
          const entry = { Id: '0', ReceiptHandle: message?.ReceiptHandle };
          await bare.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: [entry] }));
        },
      },
    ],
    async stop() {
      await queue.close();
      bare.destroy();
      await server.stop();
    },
  };
}
