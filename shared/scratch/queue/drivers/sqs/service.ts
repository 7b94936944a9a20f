/** The calls of SQS that the queue needs, in its own words. The one file that knows the SDK. */
import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { LRUCache } from 'lru-cache';
import { Batcher } from '../../../../async/batcher.ts';
import { isMissingQueue, SqsRefusal, sqsRefusal } from './faults.ts';
import type { SqsLocation } from './location.ts';

/** One message as it was received. Instants are of the server's clock, in ms. */
export interface Received {
  readonly messageId: string;
  readonly handle: string;
  readonly text: string;
  /** How often it was received, this time included. */
  readonly receives: number;
  readonly sentMs: number;
  readonly firstReceivedMs: number;
}

const CONNECTIONS_MAX = 128;
const CONNECT_TIMEOUT_MS = 5000;
/** Above the 20 s that a long poll takes. */
const ANSWER_TIMEOUT_MS = 30_000;
/** The SDK's own repeats are right here: a send has an id SQS dedupes by, and the other calls may be made twice. */
const ATTEMPTS_MAX = 3;
const BATCH_MAX = 10;
/** Of one message and of a whole batch, everywhere; AWS itself takes more by now. */
const BATCH_BYTES_MAX = 262_144;
const RETENTION_S = 14 * 86_400;
const QUEUES_KNOWN_MAX = 10_000;

const ATTRIBUTES = {
  FifoQueue: 'true',
  // Deduplication by group, and each message is a group of its own: so SQS lets messages pass each other and lifts the
  // limit of 300 calls a second.
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
  MessageRetentionPeriod: `${RETENTION_S}`,
} as const;

interface Failed {
  readonly Id?: string | undefined;
  readonly Code?: string | undefined;
}

interface Send {
  readonly text: string;
  readonly uniqueId: string;
}

/** A batch's failed entries, each at the place of its item: entries are named by their place. */
function outcomes(count: number, failed: readonly Failed[] | undefined): (Error | undefined)[] {
  const errors = new Map(failed?.map(({ Id, Code = 'unknown' }) => [Number(Id), new SqsRefusal(Code, undefined)]));
  return Array.from({ length: count }, (_, index) => errors.get(index));
}

async function answered<T>(sent: Promise<T>): Promise<T> {
  try {
    return await sent;
  } catch (error) {
    throw sqsRefusal(error);
  }
}

export class SqsService {
  readonly #client: SQSClient;
  readonly #urls = new LRUCache<string, string>({ max: QUEUES_KNOWN_MAX });
  readonly #sends: Batcher<Send, undefined>;
  readonly #removals: Batcher<string, undefined>;
  readonly #hidings: Batcher<{ handle: string; forS: number }, undefined>;

  constructor({ region, endpoint }: SqsLocation) {
    // The notice is for those who choose the version of Node; users of a command line are not asked.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    this.#client = new SQSClient({
      region,
      // Some servers name themselves in queue URLs as nobody else can reach them.
      ...(endpoint === undefined ? {} : { endpoint, useQueueUrlAsEndpoint: false }),
      maxAttempts: ATTEMPTS_MAX,
      requestHandler: {
        httpAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
        httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: ANSWER_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      },
    });
    // SQS takes up to ten calls in one request, for the price of one.
    const limits = { maxItems: BATCH_MAX, isInTurn: false };
    const sizes = { maxBytes: BATCH_BYTES_MAX, bytesOf: ({ text }: Send) => text.length };
    this.#sends = new Batcher({ ...limits, ...sizes }, async (QueueUrl, items) => {
      const Entries = items.map(({ text, uniqueId }, index) => ({
        ...{ Id: `${index}`, MessageBody: text, MessageGroupId: uniqueId, MessageDeduplicationId: uniqueId },
      }));
      const answer = await answered(this.#client.send(new SendMessageBatchCommand({ QueueUrl, Entries })));
      return outcomes(items.length, answer.Failed);
    });
    this.#removals = new Batcher(limits, async (QueueUrl, handles) => {
      const Entries = handles.map((ReceiptHandle, index) => ({ Id: `${index}`, ReceiptHandle }));
      const answer = await answered(this.#client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })));
      return outcomes(handles.length, answer.Failed);
    });
    this.#hidings = new Batcher(limits, async (QueueUrl, items) => {
      const Entries = items.map(({ handle, forS }, index) => ({
        ...{ Id: `${index}`, ReceiptHandle: handle, VisibilityTimeout: forS },
      }));
      const answer = await answered(this.#client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })));
      return outcomes(items.length, answer.Failed);
    });
  }

  /** The URL of a queue; undefined: there is none. */
  async find(name: string): Promise<string | undefined> {
    const known = this.#urls.get(name);
    if (known !== undefined) return known;
    try {
      const { QueueUrl } = await answered(this.#client.send(new GetQueueUrlCommand({ QueueName: name })));
      if (QueueUrl !== undefined) this.#urls.set(name, QueueUrl);
      return QueueUrl;
    } catch (error) {
      if (error instanceof SqsRefusal && isMissingQueue(error)) return undefined;
      throw error;
    }
  }

  /** Finds or makes the queue. */
  async make(name: string, tags: Record<string, string>): Promise<string> {
    const found = await this.find(name);
    if (found !== undefined) return found;
    const command = new CreateQueueCommand({ QueueName: name, Attributes: ATTRIBUTES, tags });
    const { QueueUrl = '' } = await answered(this.#client.send(command));
    this.#urls.set(name, QueueUrl);
    return QueueUrl;
  }

  /** Another process may have removed a queue whose URL we remember. */
  forget(name: string): void {
    this.#urls.delete(name);
  }

  /** @param uniqueId a second message with it is dropped for 5 minutes */
  send(url: string, text: string, uniqueId: string): Promise<void> {
    return this.#sends.add(url, { text, uniqueId });
  }

  async receive(url: string, request: { most: number; visibilityS: number; waitS: number }): Promise<Received[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: Math.min(request.most, BATCH_MAX),
      VisibilityTimeout: request.visibilityS,
      WaitTimeSeconds: request.waitS,
      MessageSystemAttributeNames: ['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp', 'SentTimestamp'],
    });
    const { Messages = [] } = await answered(this.#client.send(command));
    return Messages.map(({ MessageId = '', ReceiptHandle = '', Body = '', Attributes: of = {} }) => ({
      ...{ messageId: MessageId, handle: ReceiptHandle, text: Body },
      receives: Number(of.ApproximateReceiveCount ?? 1),
      sentMs: Number(of.SentTimestamp ?? 0),
      firstReceivedMs: Number(of.ApproximateFirstReceiveTimestamp ?? 0),
    }));
  }

  remove(url: string, handle: string): Promise<void> {
    return this.#removals.add(url, handle);
  }

  /** Hides a received message for so long from now; 0 makes it ready. */
  hide(url: string, handle: string, forS: number): Promise<void> {
    return this.#hidings.add(url, { handle, forS });
  }

  async counts(url: string): Promise<{ visible: number; hidden: number; delayed: number }> {
    const { Attributes: of = {} } = await answered(
      this.#client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] })),
    );
    return {
      visible: Number(of.ApproximateNumberOfMessages ?? 0),
      hidden: Number(of.ApproximateNumberOfMessagesNotVisible ?? 0),
      delayed: Number(of.ApproximateNumberOfMessagesDelayed ?? 0),
    };
  }

  /** Removes every queue whose name begins so. */
  async removeQueues(namePrefix: string): Promise<void> {
    let next: { NextToken?: string } | undefined = {};
    while (next !== undefined) {
      const command: ListQueuesCommand = new ListQueuesCommand({
        ...{ QueueNamePrefix: namePrefix, MaxResults: 1000 },
        ...next,
      });
      const { QueueUrls = [], NextToken } = await answered(this.#client.send(command));
      await Promise.all(QueueUrls.map((url) => this.#removeQueue(url)));
      next = NextToken === undefined ? undefined : { NextToken };
    }
    for (const name of this.#urls.keys()) if (name.startsWith(namePrefix)) this.#urls.delete(name);
  }

  async #removeQueue(url: string): Promise<void> {
    try {
      await answered(this.#client.send(new DeleteQueueCommand({ QueueUrl: url })));
    } catch (error) {
      if (!(error instanceof SqsRefusal && isMissingQueue(error))) throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }
}
