--- What a process may do: capabilities, prctl's switches, seccomp, Landlock.

local core <const> = require("luactr.core").sys

--- A capability is named "CAP_CHOWN", "cap_chown" or "chown"; a set is a list of names, or a
--- mask.
---@alias luactr.capabilities string[]|integer

---@class luactr.capability_sets
---@field effective? luactr.capabilities
---@field permitted? luactr.capabilities
---@field inheritable? luactr.capabilities

---@class luactr.sys
local M = {}

--- The mask of a list of capability names; nil and the first unknown name. cap_from_name(3)
---@type fun(names: string[]): integer?, string?
M.cap_mask = core.cap_mask

--- The names of a mask, in the order of their numbers. cap_to_name(3)
---@type fun(mask: integer): string[]
M.cap_names = core.cap_names

--- The highest capability that the kernel knows. capabilities(7)
---@type fun(): integer
M.last_cap = core.last_cap

--- The three sets of a process, as lists of names. ESRCH. capget(2)
---@type fun(process?: luactr.process_id): luactr.capability_sets?, string?, integer?
M.capget = core.capget

--- The same as masks. ESRCH. capget(2)
---@type fun(process?: luactr.process_id): { effective: integer, permitted: integer, inheritable: integer }?, string?, integer?
M.cap_masks = core.cap_masks

--- Set the sets of this process; one that is not named stays. EPERM: not permitted now. capset(2)
---@type fun(sets: luactr.capability_sets): true?, string?, integer?
M.capset = core.capset

--- Drop these capabilities from the bounding set, for good: no exec brings them back.
--- PR_CAPBSET_DROP of prctl(2)
---@type fun(names: luactr.capabilities): true?, string?, integer?
M.capbset_drop = core.capbset_drop

--- The bounding set. PR_CAPBSET_READ of prctl(2)
---@type fun(): string[]?, string?, integer?
M.get_capbset = core.get_capbset

--- Make the ambient set, which an exec as a plain user keeps, exactly this. EPERM: not both
--- permitted and inheritable. PR_CAP_AMBIENT of prctl(2)
---@type fun(names: luactr.capabilities): true?, string?, integer?
M.cap_ambient = core.cap_ambient

--- The ambient set. prctl(2)
---@type fun(): string[]?, string?, integer?
M.get_cap_ambient = core.get_cap_ambient

--- From now on no exec gives more rights, set-user-id or not. Cannot be undone.
--- PR_SET_NO_NEW_PRIVS of prctl(2)
---@type fun(): true?, string?, integer?
M.no_new_privs = core.no_new_privs

--- Whether that is so. prctl(2)
---@type fun(): boolean?, string?, integer?
M.get_no_new_privs = core.get_no_new_privs

--- Whether others of this user may trace the process and read its /proc files. PR_SET_DUMPABLE of
--- prctl(2)
---@type fun(on: boolean): true?, string?, integer?
M.dumpable = core.dumpable

--- Whether they may. prctl(2)
---@type fun(): boolean?, string?, integer?
M.get_dumpable = core.get_dumpable

--- Whether setuid from root leaves the permitted capabilities. PR_SET_KEEPCAPS of prctl(2)
---@type fun(on: boolean): true?, string?, integer?
M.keep_capabilities = core.keep_capabilities

--- Whether it does. prctl(2)
---@type fun(): boolean?, string?, integer?
M.get_keep_capabilities = core.get_keep_capabilities

--- Set the switches that take root's special part away: SECBIT_* as "noroot", "noroot_locked",
--- ... EPERM without CAP_SETPCAP. PR_SET_SECUREBITS of prctl(2)
---@type fun(bits: luactr.flags): true?, string?, integer?
M.securebits = core.securebits

--- Those switches, as bits. prctl(2)
---@type fun(): integer?, string?, integer?
M.get_securebits = core.get_securebits

--- Set the execution domain; 0xffffffff only asks. Returns the one from before. personality(2)
---@type fun(persona: integer): integer?, string?, integer?
M.personality = core.personality

--- Install a filter for system calls: the bytes of a list of struct sock_filter. Needs
--- no_new_privs or CAP_SYS_ADMIN (EACCES). Flags are SECCOMP_FILTER_FLAG_*; with "new_listener"
--- the listener is returned. seccomp(2)
---@type fun(filter: string, flags?: luactr.flags): (true|luactr.fd)?, string?, integer?
M.seccomp = core.seccomp

--- The version of Landlock that the kernel has. EOPNOTSUPP: switched off at boot; ENOSYS.
--- landlock_create_ruleset(2)
---@type fun(): integer?, string?, integer?
M.landlock_abi = core.landlock_abi

--- A set of rules that will deny these kinds of access except where a rule allows them:
--- LANDLOCK_ACCESS_FS_* as "read_file", "write_file", ... and LANDLOCK_ACCESS_NET_* as "bind_tcp",
--- "connect_tcp" (ABI 4). What is in scope, LANDLOCK_SCOPE_* as "signal" (ABI 6), has no exceptions
--- outside the process and its children. EINVAL or E2BIG: newer than `landlock_abi()`; ENOMSG: it
--- would deny nothing. landlock_create_ruleset(2)
---@type fun(files: luactr.flags, net?: luactr.flags, scope?: luactr.flags): luactr.fd?, string?, integer?
M.landlock_create_ruleset = core.landlock_create_ruleset

--- Allow access below an open file or directory. landlock_add_rule(2)
---@type fun(ruleset: luactr.anyfd, beneath: luactr.anyfd, access: luactr.flags): true?, string?, integer?
M.landlock_add_rule = core.landlock_add_rule

--- Allow TCP on a port: to bind it, to connect to it, both. landlock_add_rule(2)
---@type fun(ruleset: luactr.anyfd, port: integer, access: luactr.flags): true?, string?, integer?
M.landlock_add_port = core.landlock_add_port

--- Put this process and its children to come under the rules. Flags are
--- LANDLOCK_RESTRICT_SELF_LOG_* (ABI 7). EPERM without no_new_privs. landlock_restrict_self(2)
---@type fun(ruleset: luactr.anyfd, flags?: luactr.flags): true?, string?, integer?
M.landlock_restrict_self = core.landlock_restrict_self

--- Whether the kernel, and any filter round this process, has a call, or an option of one:
--- "openat2", "clone3", "seccomp_wait_killable_recv", ... It is called with arguments with which it
--- does nothing. ENOSYS: no such call; ENODEV: the machine has no use for it; EINVAL: no such
--- option. syscalls(2)
---@type fun(name: string): true?, string?, integer?
M.probe = core.probe

return M
