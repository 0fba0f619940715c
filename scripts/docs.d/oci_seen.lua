-- By the beginning of a path in config.json: the spec in which its effect is seen, and the words of
-- its `it`. The longest that fits counts. A spec of this list's compares.
local config <const> = "spec/system/oci_config_spec.lua"
local unit <const> = "spec/unit/oci_config_spec.lua"
local hooks <const> = "spec/system/oci_hooks_spec.lua"
local resources <const> = "spec/unit/oci_resources_spec.lua"
local mounts <const> = "spec/unit/mount_spec.lua"

return {
  ["ociVersion"] = { unit, "are told with their path" },
  ["root"] = { config, "hides and protects paths, and makes the root read-only" },
  ["root.path"] = { config, "refuses a root that is not there" },
  ["hostname"] = { config, "sets names and kernel parameters of its namespaces" },
  ["domainname"] = { config, "sets names and kernel parameters of its namespaces" },
  ["mounts"] = { config, "mounts in the order of the list" },
  ["mounts[].uidMappings"] = { config, "maps the users of a mount's files" },
  ["mounts[].gidMappings"] = { config, "maps the users of a mount's files" },
  ["hooks"] = { hooks, "are told the state at each moment of a container of a bundle" },
  ["hooks.prestart[].timeout"] = { hooks, "are killed when their time is over" },
  ["hooks.createRuntime[].timeout"] = { hooks, "are killed when their time is over" },
  ["hooks.createContainer[].timeout"] = { hooks, "are killed when their time is over" },
  ["hooks.startContainer[].timeout"] = { hooks, "are killed when their time is over" },
  ["hooks.poststart[].timeout"] = { hooks, "are killed when their time is over" },
  ["hooks.poststop[].timeout"] = { hooks, "are killed when their time is over" },
  ["annotations"] = { config, "keeps annotations as labels, and an image's stop signal" },
  ["process"] = { config, "gives the process its user, groups, umask, variables and directory" },
  ["process.terminal"] = { config, "gives it a terminal of the size that is said" },
  ["process.consoleSize"] = { config, "gives it a terminal of the size that is said" },
  ["process.capabilities"] = { config, "gives it the five sets of capabilities" },
  ["process.capabilities.ambient"] = { config, "keeps what is ambient for a user" },
  ["process.apparmorProfile"] = { "spec/system/label_spec.lua", "" },
  ["process.selinuxLabel"] = { "spec/system/label_spec.lua", "" },
  ["process.scheduler"] = { config, "sets when it runs, and as which machine" },
  ["process.ioPriority"] = { config, "sets when it runs, and as which machine" },
  ["process.execCPUAffinity"] = { config, "gives the CPUs of execCPUAffinity to commands" },
  ["linux.namespaces"] = { config, "makes the namespaces that are listed" },
  ["linux.namespaces[].path"] = { config, "joins those that have a path" },
  ["linux.uidMappings"] = { config, "has users of its own" },
  ["linux.gidMappings"] = { config, "has users of its own" },
  ["linux.timeOffsets"] = { config, "sets the clocks ahead" },
  ["linux.devices"] = { config, "has the default devices and links, those that are listed" },
  ["linux.cgroupsPath"] = { "spec/system/cgroup_place_spec.lua", "" },
  ["linux.resources"] = { resources, "become writes on cgroup v1 and v2" },
  ["linux.rootfsPropagation"] = { config, "hides and protects paths" },
  ["linux.seccomp"] = { config, "filters system calls, with arguments of 64 bits" },
  ["linux.sysctl"] = { config, "sets names and kernel parameters of its namespaces" },
  ["linux.maskedPaths"] = { config, "hides and protects paths" },
  ["linux.readonlyPaths"] = { config, "hides and protects paths" },
  ["linux.mountLabel"] = { mounts, "labels the file systems that take a label" },
  ["linux.memoryPolicy"] = { "spec/unit/oci_document_spec.lua", "means the same" },
  ["linux.personality.flags"] = { unit, "are told with their path" },
  ["linux.personality"] = { config, "sets when it runs, and as which machine" },
}
