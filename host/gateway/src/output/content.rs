//! Content blocks as they may leave (MCP, Tools, Tool Result): free text cleaned, media types, URIs and names right or refused.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rmcp::model::{ContentBlock, Resource, ResourceContents};
use wardkeep_model::{Content, Embedded, Link, Media, ResourceBody};

use super::{
    changes::Changes,
    named::{media_type, name, optional_media_type, uri},
    rejected::Rejected,
    text::{Lines, clean},
};

/// Blocks of one answer. An empty one has no bytes that the sandbox counts and some hundred that are sent.
const MOST_BLOCKS: usize = 1_000;

pub(super) fn blocks(content: Vec<Content>, changes: &mut Changes) -> Result<Vec<ContentBlock>, Rejected> {
    if content.len() > MOST_BLOCKS {
        return Err(Rejected::TooManyBlocks);
    }
    content.into_iter().map(|content| block(content, changes)).collect()
}

fn block(content: Content, changes: &mut Changes) -> Result<ContentBlock, Rejected> {
    Ok(match content {
        Content::Text(text) => ContentBlock::text(clean(text, Lines::Many, "text", changes)),
        Content::Image(media) => {
            let (data, mime_type) = encoded(media, "image")?;
            ContentBlock::image(data, mime_type)
        }
        Content::Audio(media) => {
            let (data, mime_type) = encoded(media, "audio")?;
            ContentBlock::audio(data, mime_type)
        }
        Content::Resource(embedded) => ContentBlock::resource(resource(embedded, changes)?),
        Content::Link(said) => ContentBlock::resource_link(link(said, changes)?),
    })
}

fn encoded(media: Media, family: &str) -> Result<(String, String), Rejected> {
    Ok((BASE64.encode(media.data), media_type(media.mime_type, Some(family))?))
}

fn resource(embedded: Embedded, changes: &mut Changes) -> Result<ResourceContents, Rejected> {
    let (uri, mime_type) = (uri(embedded.uri)?, optional_media_type(embedded.mime_type)?);
    Ok(match embedded.body {
        ResourceBody::Text(text) => {
            let text = clean(text, Lines::Many, "resource", changes);
            ResourceContents::TextResourceContents { uri, mime_type, text, meta: None }
        }
        ResourceBody::Blob(bytes) => {
            ResourceContents::BlobResourceContents { uri, mime_type, blob: BASE64.encode(bytes), meta: None }
        }
    })
}

fn link(link: Link, changes: &mut Changes) -> Result<Resource, Rejected> {
    let mut resource = Resource::new(uri(link.uri)?, name(link.name)?);
    resource.description = link.description.map(|text| clean(text, Lines::Many, "link", changes));
    resource.mime_type = optional_media_type(link.mime_type)?;
    Ok(resource)
}
