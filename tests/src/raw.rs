//! Calls by their bytes, and the contracts as a running service tells them: what a stranger has to go by.

use std::{collections::BTreeMap, marker::PhantomData};

use bytes::{Buf, BufMut, Bytes};
use prost_reflect::{DescriptorPool, MethodDescriptor, prost::Message};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::Error;

/// Hands bytes through as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw(PhantomData<()>);

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::default()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, bytes: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        Ok(Some(bytes))
    }
}

/// Calls the method at `path` (`/package.Service/Method`) with an encoded message, and with a token if there is one. Of a
/// method that answers with a stream it is the first answer.
///
/// # Errors
/// What the service answers.
pub async fn call(channel: &Channel, path: &str, message: Bytes, token: Option<&str>) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel.clone());
    let unavailable = |error| Status::unavailable(format!("not connected: {error}"));
    grpc.ready().await.map_err(unavailable)?;
    let mut request = Request::new(message);
    if let Some(token) = token {
        authorize(&mut request, token)?;
    }
    let path: PathAndQuery = path.parse().map_err(|_| Status::internal("the path is none"))?;
    let mut answers = grpc.server_streaming(request, path, Raw::default()).await?.into_inner();
    Ok(answers.message().await?.unwrap_or_default())
}

/// Begins to call the method at `path`, and never sends the message.
///
/// # Errors
/// What the service answers, which it does when it has waited long enough.
pub async fn call_without_message(channel: &Channel, path: &str, token: &str) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    let unavailable = |error| Status::unavailable(format!("not connected: {error}"));
    grpc.ready().await.map_err(unavailable)?;
    let mut request = Request::new(futures::stream::pending());
    authorize(&mut request, token)?;
    let path: PathAndQuery = path.parse().map_err(|_| Status::internal("the path is none"))?;
    let answer = grpc.streaming(request, path, Raw::default()).await?;
    answer.into_inner().message().await.map(drop)
}

fn authorize<T>(request: &mut Request<T>, token: &str) -> Result<(), Status> {
    let value = format!("Bearer {token}")
        .parse()
        .map_err(|_| Status::internal("a token is a header value"))?;
    request.metadata_mut().insert("authorization", value);
    Ok(())
}

/// The methods that a service tells of by reflection, without those of health and of reflection itself.
///
/// # Errors
/// If the service cannot be asked, or tells what cannot be read.
pub async fn methods(channel: &Channel) -> Result<Vec<MethodDescriptor>, Error> {
    let services = match ask(channel, MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => list.service,
        other => return Err(format!("no list of services: {other:?}").into()),
    };
    let ours: Vec<String> = services
        .into_iter()
        .map(|service| service.name)
        .filter(|name| name.starts_with("vouch."))
        .collect();
    let mut wanted: Vec<MessageRequest> = ours.iter().cloned().map(MessageRequest::FileContainingSymbol).collect();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    while let Some(request) = wanted.pop() {
        let MessageResponse::FileDescriptorResponse(found) = ask(channel, request).await? else {
            return Err("no descriptor of a file".into());
        };
        for bytes in found.file_descriptor_proto {
            let file = prost_types::FileDescriptorProto::decode(bytes.as_slice())?;
            let missing = file.dependency.iter().filter(|name| !files.contains_key(*name));
            wanted.extend(missing.cloned().map(MessageRequest::FileByFilename));
            files.insert(file.name().to_owned(), bytes);
        }
    }
    let mut pool = DescriptorPool::new();
    let mut set = Vec::new();
    for bytes in files.values() {
        prost_reflect::prost::encoding::bytes::encode(1, bytes, &mut set);
    }
    pool.decode_file_descriptor_set(set.as_slice())?;
    let services = ours.iter().filter_map(|name| pool.get_service_by_name(name));
    Ok(services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect())
}

/// `/package.Service/Method`.
#[must_use]
pub fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

async fn ask(channel: &Channel, request: MessageRequest) -> Result<MessageResponse, Error> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    let answer = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(futures::stream::iter([request]))
        .await?
        .into_inner()
        .message()
        .await?;
    let answer = answer.and_then(|answer| answer.message_response);
    answer.ok_or_else(|| "reflection does not answer".into())
}
