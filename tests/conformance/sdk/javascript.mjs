// Prints whom the Azure SDK for JavaScript signs in as: one line, `oid` or `error: ...`.

import { createRequire } from "node:module";

// The modules are where the working directory is, not where this file is.
const identity = createRequire(process.cwd() + "/")("@azure/identity");
const env = process.env;
// Instance discovery would ask a host on the internet whether the authority may be trusted.
const here = { disableInstanceDiscovery: true };

const credentials = {
    default: () => new identity.DefaultAzureCredential(here),
    environment: () => new identity.EnvironmentCredential(here),
    workload_identity: () => new identity.WorkloadIdentityCredential(here),
    managed_identity: () => new identity.ManagedIdentityCredential(),
    azure_cli: () => new identity.AzureCliCredential(),
    azure_developer_cli: () => new identity.AzureDeveloperCliCredential(),
    azure_powershell: () => new identity.AzurePowerShellCredential(),
    azure_pipelines: () =>
        new identity.AzurePipelinesCredential(
            env.AZURESUBSCRIPTION_TENANT_ID,
            env.AZURESUBSCRIPTION_CLIENT_ID,
            env.AZURESUBSCRIPTION_SERVICE_CONNECTION_ID,
            env.SYSTEM_ACCESSTOKEN,
            here,
        ),
};

try {
    const { token } = await credentials[process.argv[2]]().getToken("https://redis.azure.com/.default");
    console.log(JSON.parse(Buffer.from(token.split(".")[1], "base64url")).oid);
} catch (error) {
    console.log("error:", String(error.message).split(/\s+/).join(" "));
}
