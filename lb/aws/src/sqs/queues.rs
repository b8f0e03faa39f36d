//! The queues of one line: made where they are missing, and asked in batches.

use std::time::Duration;

use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, QueueAttributeName,
};
use serde_json::json;
use tokio::sync::OnceCell;

use weighbridge_core::jobs::JobId;
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Kept, LedgerError};

use super::Result;
use super::classes::CLASSES;
use crate::{Aws, answers};

/// For how long nobody else sees a message that was received.
pub(super) const VISIBILITY: Duration = Duration::from_secs(20);

/// The ends of the names of the queues, smallest class first.
const ENDS: [&str; CLASSES] = ["s", "m", "l"];

/// What SQS receives, deletes and changes at once, at most.
pub(super) const BATCH_MAX: usize = 10;

/// The longest that SQS delays a message.
const DELAY_MAX: Duration = Duration::from_mins(15);

/// The longest that SQS hides a message.
pub(super) const HIDDEN_MAX: Duration = Duration::from_hours(12);

/// A message that was received so often goes to the queue of dead ones.
const RECEIVES_MAX: u32 = 1000;

/// The longest that SQS keeps messages: 14 days.
const KEPT_FOR: Duration = Duration::from_hours(14 * 24);

/// What speaks to SQS.
#[derive(Debug, Clone)]
pub(super) struct Client(aws_sdk_sqs::Client);

/// See the module.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    name: String,
    urls: OnceCell<[String; CLASSES]>,
}

/// A message that was received.
#[derive(Debug)]
pub(super) struct Received {
    /// The job that it names, if it does.
    pub(super) job: Option<JobId>,
    pub(super) place: Place,
}

/// Where a message is that was received.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) class: usize,
    handle: String,
}

// === impl Client ===

impl Client {
    pub(super) fn new(aws: &Aws, timeout: Duration) -> Client {
        let config = Builder::from(aws.config())
            .retry_config(answers::retries())
            .timeout_config(answers::timeouts(timeout));
        Client(aws_sdk_sqs::Client::from_conf(config.build()))
    }
}

// === impl Queues ===

impl Queues {
    /// Those whose names begin with `name`.
    pub(super) fn new(client: Client, name: String) -> Queues {
        Queues { client, name, urls: OnceCell::new() }
    }

    /// Sends a message for `kept` to the queue of `class`; nobody gets it before `not_before`.
    pub(super) async fn send(&self, kept: &Kept, class: usize, not_before: Time) -> Result<()> {
        let now = super::held::wall_clock();
        let delay = not_before.since(now).min(DELAY_MAX).as_secs_f64().ceil();
        let attribute = |kind: &str, value: String| {
            let attribute = MessageAttributeValue::builder().data_type(kind).string_value(value);
            attribute.build().map_err(|error| away(&error))
        };
        let send = self.client.0.send_message().queue_url(self.url(class).await?);
        let send = send
            .message_body(kept.job.id.to_string())
            .delay_seconds(delay as i32)
            .message_attributes("work", attribute("Number", work(kept))?)
            .message_attributes("route", attribute("String", kept.route.clone())?);
        send.send().await.map_err(|error| told(&error))?;
        Ok(())
    }

    /// Takes up to `most` messages from the queue of `class`.
    pub(super) async fn receive(&self, class: usize, most: usize) -> Result<Vec<Received>> {
        let most = i32::try_from(most.clamp(1, BATCH_MAX)).unwrap_or(1);
        let receive = self.client.0.receive_message().queue_url(self.url(class).await?);
        let receive = receive.max_number_of_messages(most).visibility_timeout(secs(VISIBILITY));
        let received = receive.send().await.map_err(|error| told(&error))?;
        let messages = received.messages.unwrap_or_default().into_iter();
        let read = messages.filter_map(|message| {
            let job = message.body.and_then(|body| body.parse().ok());
            let place = Place { class, handle: message.receipt_handle? };
            Some(Received { job, place })
        });
        Ok(read.collect())
    }

    /// Deletes messages.
    pub(super) async fn delete(&self, places: Vec<Place>) -> Result<()> {
        for (class, places) in by_class(places, |place| place.class) {
            for batch in places.chunks(BATCH_MAX) {
                let mut delete =
                    self.client.0.delete_message_batch().queue_url(self.url(class).await?);
                for (nth, place) in batch.iter().enumerate() {
                    let entry = DeleteMessageBatchRequestEntry::builder().id(nth.to_string());
                    let entry = entry.receipt_handle(&place.handle).build();
                    delete = delete.entries(entry.map_err(|error| away(&error))?);
                }
                // One that was not deleted comes again, and is deleted then.
                delete.send().await.map_err(|error| told(&error))?;
            }
        }
        Ok(())
    }

    /// Gives messages back, which others see after a while.
    pub(super) async fn give_back(&self, places: Vec<(Place, Duration)>) -> Result<()> {
        self.hide(places).await
    }

    /// Holds messages for longer.
    pub(super) async fn extend(&self, places: Vec<Place>) -> Result<()> {
        self.hide(places.into_iter().map(|place| (place, VISIBILITY)).collect()).await
    }

    async fn hide(&self, places: Vec<(Place, Duration)>) -> Result<()> {
        for (class, places) in by_class(places, |(place, _)| place.class) {
            for batch in places.chunks(BATCH_MAX) {
                let change = self.client.0.change_message_visibility_batch();
                let mut change = change.queue_url(self.url(class).await?);
                for (nth, (place, hidden)) in batch.iter().enumerate() {
                    let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(nth.to_string())
                        .receipt_handle(&place.handle)
                        .visibility_timeout(secs((*hidden).min(HIDDEN_MAX)))
                        .build();
                    change = change.entries(entry.map_err(|error| away(&error))?);
                }
                change.send().await.map_err(|error| told(&error))?;
            }
        }
        Ok(())
    }

    async fn url(&self, class: usize) -> Result<&str> {
        let urls = self.urls.get_or_try_init(|| self.prepare()).await?;
        Ok(urls.get(class).map_or("", String::as_str))
    }

    /// Where the queues are; those that are missing are made.
    async fn prepare(&self) -> Result<[String; CLASSES]> {
        let mut urls = [const { String::new() }; CLASSES];
        for (url, end) in urls.iter_mut().zip(ENDS) {
            let name = format!("{}-{end}", self.name);
            *url = match self.find(&name).await? {
                Some(url) => url,
                None => self.make(&name, Some(&self.dead().await?)).await?,
            };
        }
        Ok(urls)
    }

    async fn find(&self, name: &str) -> Result<Option<String>> {
        match self.client.0.get_queue_url().queue_name(name).send().await {
            Ok(found) => Ok(found.queue_url),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(told(&error)),
        }
    }

    /// The address of the queue of dead messages, as redrive policies want it.
    async fn dead(&self) -> Result<String> {
        let name = format!("{}-dead", self.name);
        let url = match self.find(&name).await? {
            Some(url) => url,
            None => self.make(&name, None).await?,
        };
        let arn = QueueAttributeName::QueueArn;
        let get = self.client.0.get_queue_attributes().queue_url(url).attribute_names(arn.clone());
        let got = get.send().await.map_err(|error| told(&error))?;
        let arn = got.attributes.and_then(|mut attributes| attributes.remove(&arn));
        arn.ok_or_else(|| LedgerError::Away("SQS: a queue has no address".to_owned()))
    }

    async fn make(&self, name: &str, dead: Option<&str>) -> Result<String> {
        let mut create = self
            .client
            .0
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::MessageRetentionPeriod, KEPT_FOR.as_secs().to_string())
            .attributes(QueueAttributeName::SqsManagedSseEnabled, "true");
        if let Some(dead) = dead {
            let policy = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES_MAX });
            create = create.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        let made = create.send().await.map_err(|error| told(&error))?;
        tracing::info!(name, "a queue is made");
        made.queue_url.ok_or_else(|| LedgerError::Away("SQS: a queue has no URL".to_owned()))
    }
}

/// `all` by their classes.
fn by_class<T>(all: Vec<T>, class: impl Fn(&T) -> usize) -> Vec<(usize, Vec<T>)> {
    let mut classes: [Vec<T>; CLASSES] = [const { Vec::new() }; CLASSES];
    for one in all {
        if let Some(of_class) = classes.get_mut(class(&one)) {
            of_class.push(one);
        }
    }
    classes.into_iter().enumerate().filter(|(_, of_class)| !of_class.is_empty()).collect()
}

fn work(kept: &Kept) -> String {
    format!("{:.6}", kept.job.work.as_cpu_secs())
}

fn secs(span: Duration) -> i32 {
    i32::try_from(span.as_secs_f64().ceil() as u64).unwrap_or(i32::MAX)
}

fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let codes = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
    error.code().is_some_and(|code| codes.contains(&code))
}

fn told<E, R>(error: &SdkError<E, R>) -> LedgerError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    away(error)
}

fn away(error: &(dyn std::error::Error + 'static)) -> LedgerError {
    LedgerError::Away(format!("SQS: {}", crate::errors::chain(error)))
}
