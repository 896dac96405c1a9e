"""Where a result comes from: C2PA manifests, certificates, and marks in the container."""
