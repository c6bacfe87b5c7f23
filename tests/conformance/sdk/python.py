"""Prints whom the Azure SDK for Python signs in as: one line, `oid` or `error: ...`."""

import base64
import json
import os
import sys

import azure.identity as identity

# Instance discovery would ask a host on the internet whether the authority may be trusted.
HERE = {"disable_instance_discovery": True}

CREDENTIALS = {
    "default": lambda: identity.DefaultAzureCredential(**HERE),
    "environment": lambda: identity.EnvironmentCredential(**HERE),
    "workload_identity": lambda: identity.WorkloadIdentityCredential(**HERE),
    "managed_identity": lambda: identity.ManagedIdentityCredential(),
    "azure_cli": lambda: identity.AzureCliCredential(),
    "azure_developer_cli": lambda: identity.AzureDeveloperCliCredential(),
    "azure_powershell": lambda: identity.AzurePowerShellCredential(),
    "azure_pipelines": lambda: identity.AzurePipelinesCredential(
        tenant_id=os.environ["AZURESUBSCRIPTION_TENANT_ID"],
        client_id=os.environ["AZURESUBSCRIPTION_CLIENT_ID"],
        service_connection_id=os.environ["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=os.environ["SYSTEM_ACCESSTOKEN"],
        **HERE,
    ),
}

try:
    credential = CREDENTIALS[sys.argv[1]]()
    token = credential.get_token("https://redis.azure.com/.default").token
    payload = token.split(".")[1]
    print(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["oid"])
except Exception as error:  # What it is does not matter: it is shown.
    print("error:", " ".join(str(error).split()))
