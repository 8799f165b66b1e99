# tpop3d tells its logins by itself: in /etc/tpop3d.conf
#
#	auth-perl-enable: yes
#	auth-perl-start: do '/etc/tpop3d-onlogin.pl';
#	auth-perl-onlogin: relaypass_onlogin
#
# tpop3d waits for this subroutine, so it sends one datagram and hears nothing:
# without an address of its own it gets no answer.
use Socket;

sub relaypass_code {
	my ($text) = @_;
	$text =~ s/([^!-\$&-<>-~])/sprintf('%%%02X', ord($1))/ge;
	return $text;
}

sub relaypass_onlogin {
	my ($login) = @_;
	my $user = $login->{user};
	my $ip = $login->{clienthost};

	$user = "$login->{local_part}\@$login->{domain}"
		if $login->{local_part} && $login->{domain};
	return {} unless $user && $ip;
	socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or return {};
	send($socket, 'login ip=' . relaypass_code($ip) . ' user=' .
		relaypass_code($user) . " server=tpop3d\n", MSG_DONTWAIT,
		pack_sockaddr_un('/run/relaypass/notify'));
	return {};
}

1;
