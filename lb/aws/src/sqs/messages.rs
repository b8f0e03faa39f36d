//! Queues of contracts in SQS: messages that others send and take, too. The queues have to be
//! there.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use parking_lot::Mutex;

use weighbridge_proxy::jobs::contract::messages::{MessageError, Messages, Taken};

use super::queues::{BATCH_MAX, HIDDEN_MAX};
use crate::{Aws, answers};

/// The longest that SQS waits for a message.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What SQS says of a message that is deleted, or that somebody else has taken since.
const LOST: [&str; 6] = [
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "AWS.SimpleQueueService.ReceiptHandleIsInvalid",
];

/// See the module.
#[derive(Debug)]
pub struct SqsMessages {
    client: Client,
    /// The same for calls that wait for messages.
    waiting: Client,
    urls: Mutex<HashMap<String, String>>,
}

// === impl SqsMessages ===

impl SqsMessages {
    /// Any queues; one try of a request takes at most `timeout`, beside what it waits for messages.
    /// Connects to nothing yet.
    pub fn new(aws: &Aws, timeout: Duration) -> SqsMessages {
        let client = |timeout| {
            let config = Builder::from(aws.config())
                .retry_config(answers::retries())
                .timeout_config(answers::timeouts(timeout));
            Client::from_conf(config.build())
        };
        let (client, waiting) = (client(timeout), client(timeout + WAIT_MAX));
        SqsMessages { client, waiting, urls: Mutex::default() }
    }

    /// Where the queue is that is called so.
    async fn url(&self, queue: &str) -> Result<String, MessageError> {
        let known = self.urls.lock().get(queue).cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let found = self.client.get_queue_url().queue_name(queue).send().await;
        let url = found.map_err(|error| told(queue, &error))?.queue_url.unwrap_or_default();
        self.urls.lock().insert(queue.to_owned(), url.clone());
        Ok(url)
    }
}

#[async_trait]
impl Messages for SqsMessages {
    async fn send(&self, queue: &str, body: &str, group: Option<&str>) -> Result<(), MessageError> {
        let send = self.client.send_message().queue_url(self.url(queue).await?);
        let send = send.message_body(body).set_message_group_id(group.map(str::to_owned));
        send.send().await.map(drop).map_err(|error| told(queue, &error))
    }

    async fn take(
        &self,
        queue: &str,
        most: usize,
        (wait, hidden): (Duration, Duration),
    ) -> Result<Vec<Taken>, MessageError> {
        let most = i32::try_from(most.clamp(1, BATCH_MAX)).unwrap_or(1);
        let receive = self.waiting.receive_message().queue_url(self.url(queue).await?);
        let receive = receive
            .max_number_of_messages(most)
            .wait_time_seconds(secs(wait.min(WAIT_MAX)))
            .visibility_timeout(secs(hidden.min(HIDDEN_MAX)))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let received = receive.send().await.map_err(|error| told(queue, &error))?;
        Ok(received.messages.unwrap_or_default().into_iter().filter_map(taken).collect())
    }

    async fn hide(
        &self,
        queue: &str,
        handle: &str,
        hidden: Duration,
    ) -> Result<bool, MessageError> {
        let change = self.client.change_message_visibility().queue_url(self.url(queue).await?);
        let change = change.receipt_handle(handle);
        match change.visibility_timeout(secs(hidden.min(HIDDEN_MAX))).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code().is_some_and(|code| LOST.contains(&code)) => Ok(false),
            Err(error) => Err(told(queue, &error)),
        }
    }

    async fn waiting(&self, queue: &str) -> Result<usize, MessageError> {
        let number = QueueAttributeName::ApproximateNumberOfMessages;
        let get = self.client.get_queue_attributes().queue_url(self.url(queue).await?);
        let got = get.attribute_names(number.clone()).send().await;
        let got = got.map_err(|error| told(queue, &error))?;
        let number = got.attributes.as_ref().and_then(|all| all.get(&number)?.parse().ok());
        let why = || "SQS: it does not say how many messages there are".to_owned();
        number.ok_or_else(|| MessageError { queue: queue.to_owned(), why: why() })
    }

    async fn delete(&self, queue: &str, handle: &str) -> Result<(), MessageError> {
        let delete = self.client.delete_message().queue_url(self.url(queue).await?);
        match delete.receipt_handle(handle).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code().is_some_and(|code| LOST.contains(&code)) => Ok(()),
            Err(error) => Err(told(queue, &error)),
        }
    }
}

fn taken(message: Message) -> Option<Taken> {
    let times = MessageSystemAttributeName::ApproximateReceiveCount;
    let times = message.attributes.as_ref().and_then(|all| all.get(&times)?.parse().ok());
    Some(Taken {
        id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
        times: times.unwrap_or(1),
    })
}

fn secs(span: Duration) -> i32 {
    i32::try_from(span.as_secs_f64().ceil() as u64).unwrap_or(i32::MAX)
}

fn told<E, R>(queue: &str, error: &SdkError<E, R>) -> MessageError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    MessageError { queue: queue.to_owned(), why: format!("SQS: {}", crate::errors::chain(error)) }
}
