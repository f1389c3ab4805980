//! Compiles the contracts with protox, so that no protoc is needed, and writes one trait implementation per mutating
//! request.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

use prost::Message as _;
use prost_types::FileDescriptorSet;

const PACKAGES: [&str; 6] = [
    "common",
    "invitation",
    "onboarding",
    "operations",
    "payments",
    "referral",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    for package in PACKAGES {
        for entry in fs::read_dir(format!("vouch/{package}/v1"))? {
            files.push(entry?.path());
        }
    }
    files.sort();
    println!("cargo::rerun-if-changed=vouch");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    // The encoded form keeps custom options, which the decoded one drops; reflection serves the encoded form.
    fs::write(out_dir.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    let descriptors = compiler.file_descriptor_set();
    fs::write(out_dir.join("mutations.rs"), mutations(&descriptors)?)?;

    let mut config = prost_build::Config::new();
    config.enable_type_names();
    let descriptors = FileDescriptorSet::decode(descriptors.encode_to_vec().as_slice())?;
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// A request is a mutation if it has a `request_id`; so the trait cannot be forgotten for a new one.
fn mutations(descriptors: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for file in &descriptors.file {
        let module = file.package().replace('.', "::");
        let module = module.trim_start_matches("vouch::");
        for message in &file.message_type {
            if message.field.iter().any(|field| field.name() == "request_id") {
                writeln!(
                    code,
                    "impl Mutation for {module}::{name} {{ fn request_id(&self) -> &str {{ &self.request_id }} }}",
                    name = message.name()
                )?;
            }
        }
    }
    Ok(code)
}
