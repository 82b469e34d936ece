//! The bundled abdominal model, changed tensor by tensor and sealed again, so that nothing but the change is wrong.

use mindgap::config::{Bundle, load_bundle, sha256_hex};
use mindgap::protocol::ModelPayload;
use mindgap::session::model_payload;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A model on its way to be refused.
pub struct SpoiltModel {
    bundle: Bundle,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
    /// In place of the tensors.
    bytes: Option<Vec<u8>>,
}

impl SpoiltModel {
    /// As it is bundled.
    pub fn sound() -> Self {
        let bundle = load_bundle("abdomen-ct-to-mr").unwrap();
        let file = SafeTensors::deserialize(&bundle.weights).unwrap();
        let kept = |(name, view): (String, TensorView)| {
            (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        };
        let tensors = file.tensors().into_iter().map(kept).collect();
        Self { bundle, tensors, bytes: None }
    }

    /// Other bytes in place of its weights.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), ..Self::sound() }
    }

    pub fn remove(&mut self, name: &str) {
        self.tensors.remove(name).unwrap();
    }

    pub fn add(&mut self, name: &str) {
        self.tensors.insert(name.to_owned(), (Dtype::F32, vec![1], vec![0; 4]));
    }

    /// One more dimension.
    pub fn reshape(&mut self, name: &str) {
        self.tensors.get_mut(name).unwrap().1.push(1);
    }

    /// One value everywhere, as float32.
    pub fn fill(&mut self, name: &str, value: f32) {
        let (dtype, shape, bytes) = self.tensors.get_mut(name).unwrap();
        *dtype = Dtype::F32;
        *bytes = value.to_le_bytes().repeat(shape.iter().product());
    }

    /// As it goes to the engine.
    pub fn payload(&self) -> ModelPayload {
        let mut payload = model_payload(&self.bundle);
        payload.weights = self.weights();
        payload.card.weights_sha256 = sha256_hex(&payload.weights);
        payload
    }

    /// As a bundle's folder.
    pub fn write(&self, folder: &Path) {
        let payload = self.payload();
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("card.json"), serde_json::to_string(&payload.card).unwrap()).unwrap();
        std::fs::write(folder.join("weights.safetensors"), &payload.weights).unwrap();
    }

    fn weights(&self) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            return bytes.clone();
        }
        let views =
            self.tensors.iter().map(|(name, (d, s, b))| (name, TensorView::new(*d, s.clone(), b).unwrap()));
        serialize(views, None).unwrap()
    }
}
