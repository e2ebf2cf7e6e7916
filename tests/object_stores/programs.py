"""The servers that play clouds, built once from their Go modules and kept in the user's cache."""

import sys

from tests.kubernetes.programs import NoKubernetes, installed

MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
FAKE_GCS = "github.com/fsouza/fake-gcs-server@v1.56.1"

if __name__ == "__main__":
    try:
        for module in (MINIO, FAKE_GCS):
            print(installed(module))
    except NoKubernetes as error:
        sys.exit(str(error))
