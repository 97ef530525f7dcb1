// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start udevd with a control socket that has SO_PASSCRED, as systemd does. On a socket of its
 * own, udevd sets SO_PASSCRED only after it has accepted a connection. A message that arrives
 * before that has no credentials. udevd closes the connection then, and "udevadm settle" fails
 * once in some hundreds of times.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DAEMON	"/lib/systemd/systemd-udevd"

/* The first descriptor that is passed on: SD_LISTEN_FDS_START of sd_listen_fds(3) */
#define FIRST_FD	3

static void set_number(const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	if (setenv(name, text, 1) < 0)
		err(errno, "%s", name);
}

int main(void)
{
	const struct sockaddr_un address = { AF_UNIX, "/run/udev/control" };
	const int on = 1;
	int control;

	if (mkdir("/run/udev", 0777) < 0)
		err(errno, "/run/udev");
	control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (control < 0)
		err(errno, "socket");
	if (control != FIRST_FD)
		errx(255, "the socket is descriptor %d, not %d", control, FIRST_FD);
	if (setsockopt(control, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    bind(control, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(control, SOMAXCONN) < 0)
		err(errno, "%s", address.sun_path);

	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 1);
	execl(DAEMON, DAEMON, "--daemon", NULL);
	err(errno, "cannot start udevd");
}
